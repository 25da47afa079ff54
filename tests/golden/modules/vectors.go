//go:build ignore

// Vectors writes vectors.tsv, the answers of golang.org/x/mod and of the standard library that tests/unit/test_version.c and
// test_goproxy.c expect from parse/version.h and parse/goproxy.h:
//
//	mkdir /tmp/v && cp vectors.go /tmp/v/main.go && cd /tmp/v && go mod init v && go mod tidy && go run main.go >vectors.tsv
//
// A row is a kind and its fields, separated by tabs; bytes outside ! to ~ and % itself are %XX.
package main

import (
	"bufio"
	"fmt"
	"go/version"
	"math/rand"
	"os"
	"path"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

var out = bufio.NewWriter(os.Stdout)

func encode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] < '!' || s[i] > '~' || s[i] == '%' {
			fmt.Fprintf(&b, "%%%02X", s[i])
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func row(kind string, fields ...any) {
	out.WriteString(kind)
	for _, f := range fields {
		switch f := f.(type) {
		case bool:
			if f {
				out.WriteString("\t1")
			} else {
				out.WriteString("\t0")
			}
		default:
			out.WriteString("\t" + encode(fmt.Sprint(f)))
		}
	}
	out.WriteByte('\n')
}

var versions = strings.Fields(`v v0 v1 v01 v1. v1.2 v1.02 v1.2. v1.2.3 v1.2.3. v1.2.3.4 1.2.3 V1.2.3 v1.2.03 v1.2.3- v1.2.3-a v1.2.3-a.b
v1.2.3-a..b v1.2.3-0 v1.2.3-00 v1.2.3-01 v1.2.3-0a v1.2.3-1 v1.2.3-1.2 v1.2.3-1.02 v1.2.3-- v1.2.3--- v1.2.3-a_b v1.2.3+ v1.2.3+a v1.2.3+00
v1.2.3+a.b v1.2.3+a..b v1.2.3-a+b v1.2.3+b-a v1.2.3+a+b v1.2+a v1-a v1.2-a v1.2.3+incompatible v1.2.3-rc.1+incompatible v2.0.0+incompatible
v2.0.0+incompatible.1 v10.0.0 v9.0.0 v99999999999999999999.0.0 v99999999999999999998.0.0 v1.99999999999999999999999.0 v1.2.3-99999999999999999999999
v1.2.3-99999999999999999999998 v1.0.0-alpha v1.0.0-alpha.1 v1.0.0-alpha.beta v1.0.0-beta v1.0.0-beta.2 v1.0.0-beta.11 v1.0.0-rc.1 v1.0.0
v0.0.0-20191109021931-daa7c04131f5 v0.0.0-2019110902193-daa7c04131f5 v1.0.0-20191109021931-daa7c04131f5 v1.0.1-20191109021931-daa7c04131f5
v1.2.4-0.20191109021931-daa7c04131f5 v1.2.0-0.20191109021931-daa7c04131f5 v1.2.10-0.20191109021931-daa7c04131f5 v1.2.100-0.20191109021931-daa7c04131f5
v1.2.110-0.20191109021931-daa7c04131f5 v1.2.3-pre.0.20191109021931-daa7c04131f5 v1.2.3-rc.1.0.20191109021931-daa7c04131f5 v1.2.3-pre.20191109021931-daa7c04131f5
v2.0.1-0.20191109021931-daa7c04131f5+incompatible v2.0.0-20191109021931-daa7c04131f5+incompatible v2.0.0-rc.1.0.20191109021931-daa7c04131f5+incompatible
v1.2.3-x-0.20191109021931-daa7c04131f5 v1.2.3-x-y.0.20191109021931-daa7c04131f5 v1.2.4-0.20191109021931-DAA7 v1.2.4-0.20191109021931-a.b v1.2.4-0.20191109021931-
v1.2.4-0.20191109021931-daa+meta v1.2.4-0.20191109021931-daa+me-ta v1.2.3-0.0.20191109021931-d v1.2.3-a-b v0.0.0-00010101000000-000000000000 v1.2.4-00.20191109021931-d
v1.2.3-pre0.20191109021931-daa7c04131f5 latest master none upgrade daa7c04131f5`)

var goVersions = strings.Fields(`1 1.0 1.2 1.9 1.10 1.18 1.20 1.20.0 1.20rc1 1.20.1 1.21 1.21.0 1.21rc1 1.21rc2 1.21rc10 1.21beta1 1.21alpha1 1.21rc 1.21.1 1.21.10
1.21.0rc1 1.22 1.22.0 1.100 1.100.0 2 2.0 2.1 01.2 1.02 1.2.03 1.21.x 1. .1 1.21.3.4 1.999999999999999999999 1.21RC1 x 1.21rc01 1.21rc1x 0 0.1`)

var paths = []string{"", "a", "a.b", "a.b/", "/a.b", "a.b//c", "a.b/c", "a.b/c/v0", "a.b/c/v1", "a.b/c/v2", "a.b/c/v02", "a.b/c/v2.1", "a.b/c/v", "a.b/v2", "v2", "/v2",
	"a.b/c.v2", "gopkg.in/yaml.v2", "gopkg.in/yaml.v0", "gopkg.in/yaml.v1", "gopkg.in/yaml.v02", "gopkg.in/yaml", "gopkg.in/yaml.v", "gopkg.in/yaml.v2-unstable",
	"gopkg.in/yaml.v-unstable", "gopkg.in/yaml.v0-unstable", "gopkg.in/a/b.v10", "gopkg.in/yaml/v2", "github.com/Azure/azure-sdk-for-go", "GitHub.com/x", "a_b.c/d", "a~b.c/d",
	"-a.b/c", "a.b/-c", "a.b/.c", "a.b/c.", "a.b/..", "a.b/../c", "a.b/.", ".a.b/c", "a.b/c+d", "a.b/c@d", "a.b/c d", "a.b/con", "a.b/CON", "a.b/con.x", "a.b/Com1", "a.b/com0",
	"a.b/com10", "a.b/lpt9.txt", "a.b/aux/x", "a.b/nul", "a.b/prn.", "a.b/c~1", "a.b/c~", "a.b/c~1a", "a.b/c~1.x", "a.b/~1", "a.b/c~12", "a.b/é", "a.b/世界", "a.b/\xff", "a.b/c!d",
	"a.b/c:d", "a.b/c\\d", "a.b/c\x00", "a.b/c\td", "fmt", "net/http", "std", "example.com", "example.com/", "1.2/x", "a.b/c*", "a.b/c#", "a.b/c%d", "a.b/c=d", "a.b/[x]", "a.b/{x}",
	"a.b/x^", "a.b/x`", "a.b/\"", "a.b/<x>", "a.b/x|y", "a.b/x?", "a.b/x'", "README.md", "LICENSE", "dir/file name.txt", "dir/\u00a0", "dir/\u0301", "dir/①", "dir/ª", "dir/\U00020000",
	"dir/\u2028", "dir/\ufeff", "dir/\u0378", "dir/ǅ", "dir/ʰ", "-x", "--", "a//", "a/./b", "...", "a...b/c", "a..b/c", "a.b/c..d", "a.b/v2/v3", "a.b/v9999999999999999999999",
	"a.b/c/v2-unstable", "gopkg.in/", "gopkg.in", "gopkg.in/.v1", "x.y/A", "x.y/!a", "x.y/!!a", "x.y/!A", "x.y/!", "x.y/!1", "v1.0.0", "v1.0.0-!r!c", "V1.0.0-RC", "v1.0.0-RC1", "..", "v1/2"}

var suffixes = []string{"", "/v2", "/v3", "/v10", ".v0", ".v1", ".v2", ".v2-unstable", ".v1-unstable"}

var globs = []string{"", ",", "*", "a.b", "*.b", "a.b/", "a.b/*", "*.corp.example.com,github.com/x", "github.com/x/*", "github.com/*/y", "github.com/[a-z]", "github.com/[a-z]*", "[", "a.b,[",
	"[,a.b", "a.b/c/d", "*/c", "a?b", "a.b,,c.d", " a.b", "a.b ", "a.b//", "\\a.b", "a.b\\", "[a-]", "[^a].b", "[a-c].b", "a.b/c*", "*c*", "**", "a.b/**", "a.b/[!c]", "a.b/[^c]", "é.b", "?.b"}

var targets = []string{"", "a.b", "a.b/c", "a.b/c/d", "a.b/cc/d", "x.corp.example.com/y", "corp.example.com", "github.com", "github.com/x", "github.com/x/y", "github.com/x/y/z", "github.com/xx",
	"github.com/X", "c.d", "é.b/c", "b.b", "d.b", "axb"}

var patterns = []string{"", "*", "**", "a", "a*", "*a", "a*b", "a*b*c", "*a*b*", "?", "??", "[a]", "[a-c]", "[^a-c]", "[a-", "[a", "[]", "[]a]", "[^]", "[-]", "[x-]", "[-x]", "[\\]a]", "[\\-]", "[a-b-c]",
	"\\a", "\\*", "\\", "a\\", "*\\", "a[", "a[*", "[*]", "[*", "a*/b", "*/*", "a/*", "/", "*é", "[à-ÿ]", "?*?", "a?c*", "*[a-z]*x", "\xff", "[\xff]", "*b*b", "a*a*a*a*b", "[a-b]*[", "[z-a]", "]", "a]"}

var names = []string{"", "a", "b", "ab", "abc", "a/b", "axbxc", "é", "aé", "ÿ", "-", "]", "*", "\\", "/", "a/", "aaaaaaaaaaaaaaaaaaaa", "bb", "a.x", "\xff", "x", "ab[", "a\\"}

func versionRows(r *rand.Rand) {
	// Also broken ones, by one byte.
	all := append([]string(nil), versions...)
	const bytes = "v019.-+aZ_"
	for _, v := range versions {
		b := []byte(v)
		if i := r.Intn(len(b) + 1); i < len(b) && r.Intn(2) == 0 {
			b[i] = bytes[r.Intn(len(bytes))]
		} else {
			b = append(b[:i:i], append([]byte{bytes[r.Intn(len(bytes))]}, b[i:]...)...)
		}
		all = append(all, string(b))
	}
	for _, v := range all {
		base, rev, when := "", "", ""
		if module.IsPseudoVersion(v) {
			base, _ = module.PseudoVersionBase(v)
			rev, _ = module.PseudoVersionRev(v)
			at := strings.Index(v, "-"+rev) // the time is 14 digits before it
			for at >= 0 && !(at+len(rev)+1 == len(v) || v[at+len(rev)+1] == '+') {
				at += 1 + strings.Index(v[at+1:], "-"+rev)
			}
			when = v[at-14 : at]
		}
		row("version", v, semver.IsValid(v), module.CanonicalVersion(v), semver.Major(v), semver.Prerelease(v), module.IsPseudoVersion(v), base, when, rev)
		escaped, err := module.EscapeVersion(v)
		row("escversion", v, err == nil, escaped)
	}
	for range 1500 {
		a, b := all[r.Intn(len(all))], all[r.Intn(len(all))]
		row("compare", a, b, semver.Compare(a, b))
	}
	for _, s := range suffixes {
		for _, v := range []string{"v0.1.0", "v1.0.0", "v2.0.0", "v2.0.0+incompatible", "v3.1.0", "v10.0.0", "v0.0.0-20161208181325-20d25e280405", "master"} {
			row("major", s, v, module.MatchPathMajor(v, s))
		}
	}
}

func main() {
	r := rand.New(rand.NewSource(5))
	versionRows(r)
	for _, v := range goVersions {
		row("go", v, version.IsValid("go"+v), strings.TrimPrefix(version.Lang("go"+v), "go"))
		for _, w := range goVersions {
			row("gocompare", v, w, version.Compare("go"+v, "go"+w))
		}
	}
	for _, p := range paths {
		prefix, major, ok := module.SplitPathVersion(p)
		row("path", p, module.CheckPath(p) == nil, module.CheckImportPath(p) == nil, module.CheckFilePath(p) == nil, ok, prefix, major)
		escaped, err := module.EscapePath(p)
		row("escpath", p, err == nil, escaped)
		back, err := module.UnescapePath(p)
		row("unescpath", p, err == nil, back)
		back, err = module.UnescapeVersion(p)
		row("unescversion", p, err == nil, back)
	}
	for _, g := range globs {
		for _, t := range targets {
			row("private", g, t, module.MatchPrefixPatterns(g, t))
		}
	}
	for _, p := range patterns {
		for _, n := range names {
			ok, err := path.Match(p, n)
			row("glob", p, n, ok, err != nil)
		}
	}
	out.Flush()
}
