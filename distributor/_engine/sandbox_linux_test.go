package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// attempts are what a render that got out of its libraries would try; each gives the error it met.
var attempts = map[string]func(folder string) error{
	"create a file": func(folder string) error {
		return os.WriteFile(filepath.Join(folder, "new"), nil, 0o600)
	},
	"read a file": func(folder string) error {
		_, err := os.ReadFile(filepath.Join(folder, "there"))
		return err
	},
	"list a folder":  func(folder string) error { _, err := os.ReadDir(folder); return err },
	"remove a file":  func(folder string) error { return os.Remove(filepath.Join(folder, "there")) },
	"open a socket":  func(string) error { return socket(unix.AF_INET) },
	"open IPv6":      func(string) error { return socket(unix.AF_INET6) },
	"open a pipe's":  func(string) error { return socket(unix.AF_UNIX) },
	"listen to news": func(string) error { return socket(unix.AF_NETLINK) },
	"start a program": func(string) error {
		return exec.Command("/proc/self/exe", "-test.run=^$").Run()
	},
	"become a program": func(string) error {
		// With a path that is no program, so that the test survives an execve that is let through.
		if err := unix.Exec("/dev/null", []string{"x"}, nil); err == unix.EPERM {
			return err
		}
		return nil
	},
	"fork": func(string) error {
		pid, _, failed := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if failed != 0 {
			return failed
		}
		if pid == 0 {
			unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0)
		}
		_, err := unix.Wait4(int(pid), nil, 0, nil)
		return err
	},
	"leave the namespace": func(string) error { return unix.Unshare(unix.CLONE_FS) },
	"trace a process": func(string) error {
		// Of a process that it does not trace, which the kernel answers with ESRCH: one that is traced
		// stops at its next signal.
		if err := result(unix.SYS_PTRACE, unix.PTRACE_PEEKDATA, uintptr(os.Getppid()), 0); err == unix.EPERM {
			return err
		}
		return nil
	},
	"signal a process": func(string) error { return unix.Kill(os.Getpid(), 0) },
	"signal by thread": func(string) error { return result(unix.SYS_TGKILL, uintptr(os.Getppid()), uintptr(os.Getppid()), 0) },
	"map code": func(string) error {
		_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)
		return err
	},
	"make code": func(string) error {
		page, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			return err
		}
		return unix.Mprotect(page, unix.PROT_READ|unix.PROT_EXEC)
	},
	"raise a limit": func(string) error {
		return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 0, Max: 0})
	},
	"name a file in memory": func(string) error { _, err := unix.MemfdCreate("x", 0); return err },
	"hide its name": func(string) error {
		name := [16]byte{'x'}
		return result(unix.SYS_PRCTL, unix.PR_SET_NAME, uintptr(unsafe.Pointer(&name)), 0)
	},
}

func socket(family int) error {
	fd, err := unix.Socket(family, unix.SOCK_DGRAM, 0)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

func result(call, a, b, c uintptr) error {
	if _, _, failed := unix.Syscall(call, a, b, c); failed != 0 {
		return failed
	}
	return nil
}

// TestAttempt is the body of the process that the tests below start; alone it does nothing.
func TestAttempt(t *testing.T) {
	name, confined := os.Getenv("ATTEMPT"), os.Getenv("CONFINED") == "yes"
	if name == "" {
		t.Skip("run by the other tests of this file")
	}
	folder := os.Getenv("FOLDER")
	if confined {
		if missing := without(confine(defaultLimits())); missing != "" {
			fmt.Println("unprotected:", missing)
			os.Exit(0)
		}
	}
	// On a thread that was there before the filter, and on one that came after it.
	done := make(chan error)
	for range 8 {
		go func() { time.Sleep(time.Millisecond); done <- attempts[name](folder) }()
	}
	seen := map[string]bool{}
	for range 8 {
		seen[fmt.Sprint(<-done != nil)] = true
	}
	fmt.Println("refused:", len(seen) == 1 && seen["true"], "let through:", seen["false"])
	os.Exit(0)
}

func without(active []string) string {
	wanted := []string{"rlimits", "no-new-privileges", "seccomp"}
	wanted = slices.DeleteFunc(wanted, func(name string) bool { return slices.Contains(active, name) })
	return strings.Join(wanted, " ")
}

func attempt(t *testing.T, name, confined string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "there"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0], "-test.run=^TestAttempt$")
	child.Env = []string{"ATTEMPT=" + name, "CONFINED=" + confined, "FOLDER=" + folder}
	out, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if strings.HasPrefix(string(out), "unprotected:") {
		t.Skip("this kernel lacks it, or this was not built with CGO_ENABLED=0: " + string(out))
	}
	return string(out)
}

func TestAConfinedProcessIsRefused(t *testing.T) {
	for name := range attempts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if free := attempt(t, name, "no"); !strings.Contains(free, "let through: true") {
				t.Skip("refused here to any process, so that it proves nothing: " + free)
			}
			if out := attempt(t, name, "yes"); !strings.Contains(out, "refused: true") {
				t.Error(out)
			}
		})
	}
}

// TestLandlockAloneRefusesFiles: what is left where the kernel has no seccomp.
func TestLandlockAloneRefusesFiles(t *testing.T) {
	if os.Getenv("ATTEMPT_LANDLOCK") == "" {
		child := exec.Command(os.Args[0], "-test.run=^TestLandlockAloneRefusesFiles$", "-test.v")
		child.Env = []string{"ATTEMPT_LANDLOCK=yes", "FOLDER=" + t.TempDir()}
		out, err := child.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if strings.Contains(string(out), "SKIP") {
			t.Skip(string(out))
		}
		return
	}
	syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	if !restrictFiles() {
		t.Skip("this kernel lacks Landlock")
	}
	if err := attempts["create a file"](os.Getenv("FOLDER")); err == nil {
		t.Error("a file was written")
	}
	fmt.Println("done")
	os.Exit(0)
}

func TestTheRuntimeWorksConfined(t *testing.T) {
	if os.Getenv("CONFINED_WORK") == "" {
		child := exec.Command(os.Args[0], "-test.run=^TestTheRuntimeWorksConfined$")
		child.Env = []string{"CONFINED_WORK=yes"}
		if out, err := child.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "worked") {
			t.Fatalf("%v: %s", err, out)
		}
		return
	}
	confine(defaultLimits())
	total := make(chan int)
	for range 200 {
		go func() { total <- len(make([]byte, 1<<18)) }()
	}
	for range 200 {
		<-total
	}
	time.Sleep(time.Millisecond)
	fmt.Println("worked")
	os.Exit(0)
}
