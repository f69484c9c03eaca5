// Command controlplane is one binary that holds every program of a small
// Kubernetes control plane: etcd, kube-apiserver, kube-controller-manager,
// kube-scheduler and kwok, which plays the nodes and their pods.
//
// The program to run is the name the binary was called by (a link), or else
// its first argument:
//
//	controlplane kube-apiserver --etcd-servers=...
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

// programs maps a name to what runs it; args are those after the name.
var programs = map[string]func(args []string) int{
	"etcd":                    runEtcd,
	"kube-apiserver":          runCobra(apiserver.NewAPIServerCommand),
	"kube-controller-manager": runCobra(controllers.NewControllerManagerCommand),
	"kube-scheduler":          runCobra(func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
	"kwok":                    runKwok,
}

func main() {
	name, args := filepath.Base(os.Args[0]), os.Args[1:]
	if _, known := programs[name]; !known && len(args) > 0 {
		name, args = args[0], args[1:]
	}
	run, known := programs[name]
	if !known {
		fmt.Fprintf(os.Stderr, "controlplane: no program %q; one of: %s\n", name, strings.Join(names(), ", "))
		os.Exit(2)
	}
	// Programs that parse flags themselves read os.Args: show them their own.
	os.Args = append([]string{name}, args...)
	os.Exit(run(args))
}

func names() []string {
	var all []string
	for name := range programs {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func runCobra(command func() *cobra.Command) func([]string) int {
	return func(args []string) int {
		root := command()
		root.SetArgs(args)
		return cli.Run(root)
	}
}

func runEtcd(args []string) int {
	etcdmain.Main(append([]string{"etcd"}, args...))
	return 0
}
