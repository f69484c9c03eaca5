package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/Masterminds/sprig/v3"
)

// pureFuncs answer by their arguments alone: each was read. A function that a new release of Helm or
// Sprig brings is in no list and fails the test below until somebody has read it.
var pureFuncs = strings.Fields(`
abbrev abbrevboth add add1 add1f addf adler32sum all any append atoi b32dec b32enc b64dec b64enc base
biggest buildCustomCert camelcase cat ceil chunk clean coalesce compact concat contains dateModify
date_modify decryptAES deepCopy deepEqual default derivePassword dict dig dir div divf duration
durationDays durationHours durationMicroseconds durationMilliseconds durationMinutes
durationNanoseconds durationRoundTo durationSeconds durationTruncateTo durationWeeks empty ext fail
first float64 floor fromJson fromJsonArray fromToml fromYaml fromYamlArray get has hasKey hasPrefix
hasSuffix hello include indent initial initials int int64 isAbs join kebabcase kindIs kindOf last
list lower max maxf merge mergeOverwrite min minf mod mul mulf mustAppend mustChunk mustCompact
mustDateModify mustDeepCopy mustFirst mustFromJson mustHas mustInitial mustLast mustMerge
mustMergeOverwrite mustPrepend mustPush mustRegexFind mustRegexFindAll mustRegexMatch
mustRegexReplaceAll mustRegexReplaceAllLiteral mustRegexSplit mustRest mustReverse mustSlice
mustToDate mustToDuration mustToJson mustToPrettyJson mustToRawJson mustToToml mustToYaml mustUniq
mustWithout must_date_modify nindent nospace omit osBase osClean osDir osExt osIsAbs pick pluck plural
prepend push quote regexFind regexFindAll regexMatch regexQuoteMeta regexReplaceAll
regexReplaceAllLiteral regexSplit repeat replace required rest reverse round semver semverCompare seq
set sha1sum sha256sum sha512sum slice snakecase sortAlpha split splitList splitn squote sub subf
substr swapcase ternary title toDate toDecimal toJson toPrettyJson toRawJson toString toStrings toToml
toYaml toYamlPretty tpl trim trimAll trimPrefix trimSuffix trimall trunc tuple typeIs typeIsLike
typeOf uniq unixEpoch unset until untilStep untitle upper urlJoin urlParse without wrap wrapWith`)

// helmsAnswer are functions that Helm itself makes pure: it removes the first two, and answers the
// others with nothing, as there is neither a name server nor a cluster.
var helmsAnswer = []string{"env", "expandenv", "getHostByName", "lookup"}

// helmFuncs are the names in Helm's own function map, which it does not export.
func helmFuncs(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", "helm.sh/helm/v4/pkg/engine").Output()
	if err != nil {
		t.Skipf("the go program does not tell where Helm's sources are: %v", err)
	}
	source, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(out)), "funcs.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	ast.Inspect(source, func(node ast.Node) bool {
		if pair, is := node.(*ast.KeyValueExpr); is {
			if literal, is := pair.Key.(*ast.BasicLit); is {
				name, _ := strconv.Unquote(literal.Value)
				names = append(names, name)
			}
		}
		return true
	})
	return names
}

func TestEveryFunctionOfTemplatesIsKnown(t *testing.T) {
	ours := slices.Collect(maps.Keys((&purity{}).funcs()))
	known := slices.Concat(pureFuncs, helmsAnswer, ours)
	all := slices.Concat(slices.Collect(maps.Keys(sprig.TxtFuncMap())), helmFuncs(t))
	for _, name := range all {
		if !slices.Contains(known, name) {
			t.Errorf("%s is in no list: read it, then name it as pure or refuse it", name)
		}
	}
	for _, name := range slices.Concat(pureFuncs, ours) {
		if name != "printf" && name != "steadyFiles" && !slices.Contains(all, name) {
			t.Errorf("%s is no function of templates any more", name)
		}
		if slices.Contains(pureFuncs, name) && slices.Contains(ours, name) {
			t.Errorf("%s is in two lists", name)
		}
	}
}

// execute runs a template with the functions of a chart, as far as they are ours or Sprig's.
func execute(text string) (string, string, error) {
	var pure purity
	var out strings.Builder
	parsed := template.Must(template.New("t").Funcs(sprig.TxtFuncMap()).Funcs(pure.funcs()).Parse(text))
	err := parsed.Execute(&out, map[string]any{"c": (*scopeCapabilities)(defaultCapabilities())})
	return out.String(), pure.called, err
}

func TestEveryImpureFunctionIsRefused(t *testing.T) {
	for _, name := range impureFuncs {
		if _, called, err := execute("{{ " + name + " }}"); called != name || err == nil {
			t.Errorf("%s: called %q, %v", name, called, err)
		}
	}
	for _, text := range []string{
		`{{ date "2006" "2020-01-01" }}`, `{{ htmlDate 1.5 }}`, `{{ dateInZone "2006" nil "UTC" }}`,
		`{{ htmlDateInZone "x" "UTC" }}`, `{{ date_in_zone "2006" "" "UTC" }}`,
		`{{ durationRound (toDate "2006" "2020") }}`,
		`{{ printf "%p" (list 1) }}`, `{{ printf "%d" (list (semver "1.2.3")) }}`,
		`{{ printf "%#v" (dict "a" (semver "1.2.3")) }}`, `{{ printf "%[1]*d %p" 3 (dict) }}`,
	} {
		if out, called, err := execute(text); called == "" || err == nil {
			t.Errorf("%s gives %q", text, out)
		}
	}
}

func TestSteadyFunctionsAnswerAsHelmDoesWhereItIsSteady(t *testing.T) {
	for text, want := range map[string]string{
		`{{ keys (dict "c" 1 "a" 2 "b" 3) (dict "d" 1 "a" 2) }}`:                                  "[a b c a d]",
		`{{ values (dict "c" 1 "a" 2 "b" 3) }}`:                                                   "[2 3 1]",
		`{{ keys }}{{ values (dict) }}`:                                                           "[][]",
		`{{ date "2006-01-02T15:04 MST" 1700000000 }}`:                                            "2023-11-14T22:13 UTC",
		`{{ htmlDate (toDate "2006-01-02" "2020-02-03") }}`:                                       "2020-02-03",
		`{{ dateInZone "15:04 MST" (int64 1700000000) "Europe/Berlin" }}`:                         "23:13 CET",
		`{{ date_in_zone "15:04 MST" 1700000000 "No/Where" }}`:                                    "22:13 UTC",
		`{{ htmlDateInZone 1700000000 "Asia/Tokyo" }}`:                                            "2023-11-15",
		`{{ toDate "2006-01-02 15:04" "2020-07-01 12:00" | unixEpoch }}`:                          "1593604800",
		`{{ durationRound "2h10m5s" }} {{ durationRound 3600000000001 }}`:                         "2h 0s",
		`{{ printf "%d %s %v %05.2f %%p" 5 "a" (list 1 (dict "b" 2)) 1.5 }}`:                      "5 a [1 map[b:2]] 01.50 %p",
		`{{ printf "%s %v %q" (semver "1.2.3") (list (semver "1.2.3")) (toDate "2006" "2020") }}`: `1.2.3 [1.2.3] "2020-01-01 00:00:00 +0000 UTC"`,
		`{{ printf "%d" (list 1 2) }}{{ printf "%" }}{{ printf "%#x" 255 }}`:                      "[1 2]%!(NOVERB)0xff",
	} {
		if out, called, err := execute(text); out != want || called != "" {
			t.Errorf("%s gives %q (%s, %v), want %q", text, out, called, err, want)
		}
	}
}

func TestCapabilitiesPrintWithoutAnAddress(t *testing.T) {
	alone, _, _ := execute(`{{ .c }}`)
	if want := fmt.Sprint(*defaultCapabilities()); alone != want {
		t.Errorf("got %s, want %s", alone, want)
	}
	for _, text := range []string{`{{ . }}`, `{{ list .c.Copy | toString }}`, `{{ dict "a" (deepCopy .c) | quote }}`} {
		if out, called, err := execute(text); strings.Contains(out, "0xc") || called != "" || err != nil {
			t.Errorf("%s gives %s (%s, %v)", text, out, called, err)
		}
	}
	if out, _, err := execute(`{{ .c.KubeVersion }} {{ .c.KubeVersion.GitVersion }} {{ .c.APIVersions.Has "apps/v1" }} {{ .c.HelmVersion.GoVersion }}`); !strings.HasSuffix(out, " true "+goRelease) || err != nil {
		t.Errorf("got %s, %v", out, err)
	}
}

// TestZonesAreNotReadFromTheDisk puts a false zone where Go looks first.
func TestZonesAreNotReadFromTheDisk(t *testing.T) {
	dir := t.TempDir()
	if os.Getenv("ZONEINFO") == "" { // Go reads the variable once: the test runs itself with it
		doctored, err := os.ReadFile("/usr/share/zoneinfo/Asia/Tokyo")
		if err != nil {
			t.Skip("this machine has no zones on its disk")
		}
		if err := os.WriteFile(filepath.Join(dir, "EST5EDT"), doctored, 0o600); err != nil {
			t.Fatal(err)
		}
		again := exec.Command(os.Args[0], "-test.run=^TestZonesAreNotReadFromTheDisk$")
		again.Env = append(os.Environ(), "ZONEINFO="+dir)
		if out, err := again.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	if planted, _ := time.LoadLocation("EST5EDT"); planted == nil || offset(planted) != 9*3600 {
		t.Fatal("the false zone is not where Go looks")
	}
	if got := offset(location("EST5EDT")); got != -5*3600 {
		t.Errorf("the zone came from the disk: %d", got)
	}
}

func offset(zone *time.Location) int {
	_, seconds := time.Unix(0, 0).In(zone).Zone()
	return seconds
}
