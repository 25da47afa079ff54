#ifndef RUN_OVERLAY_HOOK_H
#define RUN_OVERLAY_HOOK_H

/*
 * The Go text that --panics appends to the runtime's panic.go. It writes one line a record to the file
 * that TOCSIN_PANICS names, by raw system calls, never to the program's own output, and calls no code of the
 * user's: an Error method may take a lock that the panicking goroutine holds.
 *
 *   P pid goid id outer same test function value created-by file line cut {frame function, file, line, offset}*
 *   R pid id function file line     recover() was called by function
 *   C pid id n                      that panic was raised n times by now: told at 2..9, 10, 20..90, 100, …
 *   F pid id…                       these panics end the program
 *   L pid                           too many different panics in this process; the rest is not recorded
 *
 * and what Tocsin itself puts there, once a go command: N (the shim met one), G root (it runs with the overlay;
 * its GOROOT).
 *
 * Fields end with a tab; \, tab, newline and other control bytes in them are escaped. One record is one write of
 * at most 4096 bytes, so that many processes can append at once.
 */

/* TOCSIN_PRINT stands for the runtime's own printer of panic values, which differs between versions. */
static const char overlay_hook[] =
"\n"
"var tocsinSeen, tocsinOf [512]uintptr\n" /* a panic's hash, and its id */
"var tocsinTimes [512]uint32\n"
"var tocsinFull, tocsinLast uintptr\n"
"\n"
"//go:linkname tocsinHook\n"
"var tocsinHook func(name string, fn any) = tocsinEnter\n"
"\n"
"func tocsinEnter(name string, fn any) {\n"
"	if name == \"\" {\n" /* testing's own root */
"		return\n"
"	}\n"
"	gp := getg()\n"
"	gp.tocsinTest = name\n"
"	for i := 0; i < len(name); i++ {\n"
"		if name[i] == '/' {\n"
"			return\n"
"		}\n"
"	}\n"
"	if p := (*uintptr)(efaceOf(&fn).data); p != nil {\n"
"		gp.tocsinFn = *p\n"
"	}\n"
"}\n"
"\n"
"func tocsinPath() string {\n"
"	if envs == nil {\n"
"		return \"\"\n"
"	}\n"
"	return gogetenv(\"TOCSIN_PANICS\")\n"
"}\n"
"\n"
"func tocsinText(b []byte, s string, max int) []byte {\n"
"	const hex = \"0123456789abcdef\"\n"
"	end := len(b) + max\n"
"	for i := 0; i < len(s) && len(b)+4 <= end; i++ {\n"
"		switch c := s[i]; {\n"
"		case c == '\\\\':\n"
"			b = append(b, '\\\\', '\\\\')\n"
"		case c < ' ' || c == 127:\n"
"			b = append(b, '\\\\', 'x', hex[c>>4], hex[c&15])\n"
"		default:\n"
"			b = append(b, c)\n"
"		}\n"
"	}\n"
"	return append(b, '\\t')\n"
"}\n"
"\n"
"func tocsinNum(b []byte, v uint64) []byte {\n"
"	var d [20]byte\n"
"	i := len(d)\n"
"	for {\n"
"		i--\n"
"		d[i] = byte('0' + v%10)\n"
"		v /= 10\n"
"		if v == 0 {\n"
"			break\n"
"		}\n"
"	}\n"
"	for ; i < len(d); i++ {\n"
"		b = append(b, d[i])\n"
"	}\n"
"	return append(b, '\\t')\n"
"}\n"
"\n"
"func tocsinOpen(kind byte) []byte {\n"
"	b := make([]byte, 0, 4096)\n"
"	b = append(b, kind, '\\t')\n"
"	return tocsinNum(b, uint64(getpid()))\n"
"}\n"
"\n"
"func tocsinWrite(path string, b []byte) {\n"
"	b = append(b, '\\n')\n"
"	name := make([]byte, len(path)+1)\n"
"	copy(name, path)\n"
"	fd := open(&name[0], 0x80401, 0)\n" /* O_WRONLY|O_APPEND|O_CLOEXEC */
"	if fd < 0 {\n"
"		return\n"
"	}\n"
"	write1(uintptr(fd), unsafe.Pointer(&b[0]), int32(len(b)))\n"
"	closefd(fd)\n"
"}\n"
"\n"
/* 0: seen before; 1: new; 2: the table has just become full; 3: it is full */
"func tocsinNew(pcs []uintptr, test string) (int, uintptr) {\n"
"	h := uintptr(2166136261)\n"
"	for _, pc := range pcs {\n"
"		h = (h ^ pc) * 16777619\n"
"		h ^= h >> 15\n"
"	}\n"
"	for i := 0; i < len(test); i++ {\n"
"		h = (h ^ uintptr(test[i])) * 16777619\n"
"	}\n"
"	h |= 1\n"
"	for i := uintptr(0); i < 400; i++ {\n"
"		at := (h>>1 + i) % 512\n"
"		if atomic.Casuintptr(&tocsinSeen[at], 0, h) {\n"
"			return 1, at\n"
"		}\n"
"		if atomic.Loaduintptr(&tocsinSeen[at]) == h {\n"
"			return 0, at\n"
"		}\n"
"	}\n"
"	if atomic.Casuintptr(&tocsinFull, 0, 1) {\n"
"		return 2, 0\n"
"	}\n"
"	return 3, 0\n"
"}\n"
"\n"
"func tocsinAgain(path string, at uintptr) {\n"
"	n := uint64(atomic.Xadd(&tocsinTimes[at], 1)) + 1\n"
"	step := uint64(1)\n"
"	for step*10 <= n {\n"
"		step *= 10\n"
"	}\n"
"	id := atomic.Loaduintptr(&tocsinOf[at])\n"
"	if n%step != 0 || id == 0 {\n" /* 0: the first one is just being written */
"		return\n"
"	}\n"
"	tocsinWrite(path, tocsinNum(tocsinNum(tocsinOpen('C'), uint64(id)), n))\n"
"}\n"
"\n"
/* Error methods known to be pure: their text is what a person needs. */
"func tocsinPure(name string) bool {\n"
"	if len(name) > 8 && name[:8] == \"runtime.\" {\n"
"		return true\n"
"	}\n"
"	switch name {\n"
"	case \"errors.(*errorString).Error\", \"fmt.(*wrapError).Error\", \"fmt.(*wrapErrors).Error\",\n"
"		\"strconv.(*NumError).Error\", \"reflect.(*ValueError).Error\", \"syscall.Errno.Error\",\n"
"		\"syscall.(*Errno).Error\", \"github.com/pkg/errors.(*fundamental).Error\":\n"
"		return true\n"
"	}\n"
"	return false\n"
"}\n"
"\n"
"func tocsinValue(e any) string {\n"
"	if v, ok := e.(error); ok && efaceOf(&e).data != nil {\n"
"		tab := *(*unsafe.Pointer)(unsafe.Pointer(&v))\n"
"		pc := *(*uintptr)(add(tab, 2*goarch.PtrSize+8))\n" /* the first method of the itab */
"		if f := findfunc(pc); f.valid() && tocsinPure(funcname(f)) {\n"
"			return v.Error()\n"
"		}\n"
"	}\n"
"	gp := getg()\n"
"	if gp.writebuf != nil {\n"
"		return \"\"\n"
"	}\n"
"	gp.writebuf = make([]byte, 0, 1000)\n"
"	TOCSIN_PRINT(e)\n"
"	b := gp.writebuf\n"
"	gp.writebuf = nil\n"
"	return string(b)\n"
"}\n"
"\n"
"func tocsinLine(b []byte, pc uintptr) []byte {\n"
"	f := findfunc(pc)\n"
"	if !f.valid() {\n"
"		return append(b, '\\t', '\\t', '\\t')\n"
"	}\n"
"	file, line := funcline(f, pc-1)\n"
"	b = tocsinText(b, funcname(f), 300)\n"
"	b = tocsinText(b, file, 300)\n"
"	return tocsinNum(b, uint64(line))\n"
"}\n"
"\n"
"//go:noinline\n"
"func tocsinPanic(p *_panic) {\n"
"	path := tocsinPath()\n"
"	if path == \"\" {\n"
"		return\n"
"	}\n"
"	gp := getg()\n"
"	var stack [200]uintptr\n" /* not on the heap: a panic seen before allocates nothing */
"	n := callers(1, stack[:])\n"
"	state, at := tocsinNew(stack[:n], gp.tocsinTest)\n"
"	switch state {\n"
"	case 0:\n"
"		tocsinAgain(path, at)\n"
"		return\n"
"	case 2:\n"
"		tocsinWrite(path, tocsinOpen('L'))\n"
"		return\n"
"	case 3:\n"
"		return\n"
"	}\n"
"	outer := gp._panic\n"
"	for outer != nil && outer.goexit {\n"
"		outer = outer.link\n"
"	}\n"
"	p.tocsin = atomic.Xadduintptr(&tocsinLast, 1)\n"
"	b := tocsinNum(tocsinOpen('P'), uint64(gp.goid))\n"
"	b = tocsinNum(b, uint64(p.tocsin))\n"
"	if outer == nil {\n"
"		b = append(b, '0', '\\t', '0', '\\t')\n"
"	} else {\n"
"		b = tocsinNum(b, uint64(outer.tocsin))\n"
"		same := uint64(0)\n"
"		if *efaceOf(&outer.arg) == *efaceOf(&p.arg) {\n"
"			same = 1\n"
"		}\n"
"		b = tocsinNum(b, same)\n"
"	}\n"
"	b = tocsinText(b, gp.tocsinTest, 400)\n"
"	fn := \"\"\n"
"	if f := findfunc(gp.tocsinFn); f.valid() {\n"
"		fn = funcname(f)\n"
"	}\n"
"	b = tocsinText(b, fn, 300)\n"
"	b = tocsinText(b, tocsinValue(p.arg), 700)\n"
"	b = tocsinLine(b, gp.gopc)\n"
"	cut := len(b)\n"
"	b = append(b, '0', '\\t')\n"
"	pcs := make([]uintptr, n)\n"
"	copy(pcs, stack[:n])\n"
"	fs := CallersFrames(pcs)\n"
"	for {\n"
"		fr, more := fs.Next()\n"
"		if len(b)+len(fr.Function)+len(fr.File)+48 > 4090 {\n"
"			b[cut] = '1'\n"
"			break\n"
"		}\n"
"		b = tocsinText(b, fr.Function, 1000)\n"
"		b = tocsinText(b, fr.File, 1000)\n"
"		b = tocsinNum(b, uint64(fr.Line))\n"
"		b = tocsinNum(b, uint64(fr.PC-fr.Entry))\n"
"		if !more {\n"
"			break\n"
"		}\n"
"	}\n"
"	if len(b) < 4096 {\n"
"		tocsinWrite(path, b)\n"
"		atomic.Storeuintptr(&tocsinOf[at], p.tocsin)\n"
"	}\n"
"}\n"
"\n"
"//go:noinline\n"
"func tocsinRecovered(p *_panic) {\n"
"	if p.tocsin == 0 {\n"
"		return\n"
"	}\n"
"	pcs := make([]uintptr, 8)\n"
"	fs := CallersFrames(pcs[:callers(2, pcs)])\n"
"	b := tocsinNum(tocsinOpen('R'), uint64(p.tocsin))\n"
"	fr, _ := fs.Next()\n"
"	b = tocsinText(b, fr.Function, 1000)\n"
"	b = tocsinText(b, fr.File, 1000)\n"
"	tocsinWrite(tocsinPath(), tocsinNum(b, uint64(fr.Line)))\n"
"}\n"
"\n"
"//go:noinline\n"
"func tocsinFatal(p *_panic) {\n"
"	some := false\n"
"	b := tocsinOpen('F')\n"
"	for ; p != nil && len(b) < 4000; p = p.link {\n"
"		if p.tocsin != 0 {\n"
"			some = true\n"
"			b = tocsinNum(b, uint64(p.tocsin))\n"
"		}\n"
"	}\n"
"	if some {\n"
"		tocsinWrite(tocsinPath(), b)\n"
"	}\n"
"}\n";

/* What goes into the sources, each on its own line's end so that no line number moves. */
struct overlay_edit {
	const char *file;   /* below GOROOT/src */
	const char *region; /* the edit is made behind this text… */
	const char *find;   /* …at the first of these */
	const char *with;
};

static const struct overlay_edit overlay_edits[] = {
	{ "runtime/panic.go", "\nfunc gopanic(e any) {", "p.arg = e\n", "p.arg = e; tocsinPanic(&p)\n" },
	{ "runtime/panic.go", "\nfunc gopanic(e any) {", "preprintpanics(", "tocsinFatal(gp._panic); preprintpanics(" },
	{ "runtime/panic.go", "\nfunc gorecover(", "p.recovered = true\n", "p.recovered = true; tocsinRecovered(p)\n" },
	{ "runtime/runtime2.go", "\ntype _panic struct {", "\n}", "\n\ttocsin uintptr }" },
	{ "runtime/runtime2.go", "\ntype g struct {", "\n}", "\n\ttocsinTest string; tocsinFn uintptr }" },
	{ "runtime/proc.go", "\nfunc newproc1(", "newg.gopc = callerpc\n",
	  "newg.gopc = callerpc; newg.tocsinTest, newg.tocsinFn = callergp.tocsinTest, callergp.tocsinFn\n" },
	{ "testing/testing.go", "\nimport (", "\n", " _ \"unsafe\"\n" },
	{ "testing/testing.go", "\nfunc tRunner(t *T, fn func(t *T)) {", "\n", "; tocsinHook(t.name, fn)\n" },
	{ "testing/fuzz.go", "\nfunc fRunner(f *F, fn func(*F)) {", "\n", "; tocsinHook(f.name, fn)\n" },
	{ "testing/benchmark.go", "\nfunc (b *B) runN(n int) {", "\n", "; tocsinHook(b.name, b.benchFunc)\n" },
};

static const char *const overlay_files[] = {
	"runtime/panic.go", "runtime/runtime2.go", "runtime/proc.go", "testing/testing.go", "testing/fuzz.go",
	"testing/benchmark.go",
};

static const char overlay_testing[] =
"\n//go:linkname tocsinHook runtime.tocsinHook\n"
"var tocsinHook func(name string, fn any)\n";
#endif
