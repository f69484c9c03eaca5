package main

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// headroom is what a worker may map beyond its heap limit: the runtime's own tables, and memory that
// is free but not given back yet. The watchdog ends what grows slowly, this what jumps.
const headroom = 256 << 20

// confine gives up, for the whole life of this process, what no render needs: new privileges, files,
// sockets, programs, other processes. It returns the names of the protections that hold; a kernel
// that lacks one is no reason not to work, but the caller tells its operator.
func confine(limits Limits) []string {
	var active []string
	if boundMemory(limits.HardMemory + headroom) {
		active = append(active, "rlimits")
	}
	_, _, failed := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	if failed != 0 {
		return active
	}
	active = append(active, "no-new-privileges")
	if restrictFiles() {
		active = append(active, "landlock")
	}
	if restrictCalls() {
		active = append(active, "seccomp")
	}
	return active
}

// boundMemory lets the process map so many bytes more than it has mapped now. The address space is
// what counts: the runtime reserves before it uses, and the kernel compares the size of the data
// (RLIMIT_DATA) only with what comes on top of a reservation.
func boundMemory(more int64) bool {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return false
	}
	var pages int64
	if _, err := fmt.Sscan(string(text), &pages); err != nil {
		return false
	}
	bound := uint64(pages*int64(os.Getpagesize()) + more)
	return unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: bound, Max: bound}) == nil
}

// restrictFiles denies every path, and TCP where the kernel can, to all threads.
// https://docs.kernel.org/userspace-api/landlock.html
func restrictFiles() bool {
	abi, _, failed := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if failed != 0 {
		return false
	}
	attr, size := landlockAttr(int(abi))
	fd, _, failed := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if failed != 0 {
		return false
	}
	defer unix.Close(int(fd))
	_, _, failed = syscall.AllThreadsSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0)
	return failed == 0
}

// landlockAttr asks for every right that the kernel's release of Landlock can take away.
func landlockAttr(abi int) (unix.LandlockRulesetAttr, uintptr) {
	rights := 13
	size := unsafe.Sizeof(uint64(0))
	var attr unix.LandlockRulesetAttr
	if abi >= 2 {
		rights++
	}
	if abi >= 3 {
		rights++
	}
	if abi >= 4 {
		attr.Access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
		size += unsafe.Sizeof(uint64(0))
	}
	if abi >= 5 {
		rights++
	}
	attr.Access_fs = 1<<rights - 1
	return attr, size
}

// architectures that the filter knows, by GOARCH.
var architectures = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}

// allowed are the calls that the Go runtime makes to compute, to collect and to answer on pipes.
// Whatever is not named, here or in conditions, fails with EPERM: files, sockets, programs,
// namespaces, keys, other processes.
var allowed = []uint32{
	unix.SYS_FUTEX, unix.SYS_READ, unix.SYS_WRITE, unix.SYS_NANOSLEEP, unix.SYS_EPOLL_PWAIT,
	unix.SYS_MADVISE, unix.SYS_MUNMAP, unix.SYS_SCHED_YIELD, unix.SYS_CLOCK_GETTIME,
	unix.SYS_CLOCK_NANOSLEEP, unix.SYS_GETTIMEOFDAY, unix.SYS_GETRUSAGE, unix.SYS_GETPID,
	unix.SYS_GETTID, unix.SYS_RT_SIGRETURN, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGACTION,
	unix.SYS_SIGALTSTACK, unix.SYS_GETRANDOM, unix.SYS_MINCORE, unix.SYS_RESTART_SYSCALL,
	unix.SYS_SCHED_GETAFFINITY, unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EVENTFD2,
	unix.SYS_PIPE2, unix.SYS_FCNTL, unix.SYS_FSTAT, unix.SYS_PREAD64, unix.SYS_CLOSE,
	unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
}

// namespaces are the flags with which a thread would begin in a new namespace.
const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// Offsets in struct seccomp_data, and the numbers from which x86's 32-bit pointer calls begin.
const (
	offsetCall = 0
	offsetArch = 4
	offsetArgs = 16
	firstX32   = 0x40000000
)

// restrictCalls installs the filter on all threads at once.
// https://docs.kernel.org/userspace-api/seccomp_filter.html
func restrictCalls() bool {
	arch, known := architectures[runtime.GOARCH]
	if !known {
		return false
	}
	filter := callFilter(arch, uint32(os.Getpid()))
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	thread, _, failed := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	return failed == 0 && thread == 0
}

func callFilter(arch, pid uint32) []unix.SockFilter {
	permit := statement(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_ALLOW)
	refuse := statement(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM))
	filter := []unix.SockFilter{
		load(offsetArch), jump(unix.BPF_JEQ, arch, 1, 0), refuse,
		load(offsetCall), jump(unix.BPF_JGE, firstX32, 0, 1), refuse,
	}
	for _, call := range allowed {
		filter = append(filter, jump(unix.BPF_JEQ, call, 0, 1), permit)
	}
	for _, condition := range []struct {
		call  uint32
		tests []unix.SockFilter
	}{
		// Threads, never processes, never in a namespace of their own.
		{unix.SYS_CLONE, []unix.SockFilter{
			load(argument(0)), jump(unix.BPF_JSET, namespaces, 2, 0), jump(unix.BPF_JSET, unix.CLONE_THREAD, 0, 1),
		}},
		// Memory that is never executed.
		{unix.SYS_MMAP, []unix.SockFilter{load(argument(2)), jump(unix.BPF_JSET, unix.PROT_EXEC, 1, 0)}},
		{unix.SYS_MPROTECT, []unix.SockFilter{load(argument(2)), jump(unix.BPF_JSET, unix.PROT_EXEC, 1, 0)}},
		// Names of memory regions, and signals to threads of this process: both are the runtime's.
		{unix.SYS_PRCTL, []unix.SockFilter{load(argument(0)), jump(unix.BPF_JEQ, unix.PR_SET_VMA, 0, 1)}},
		{unix.SYS_TGKILL, []unix.SockFilter{load(argument(0)), jump(unix.BPF_JEQ, pid, 0, 1)}},
	} {
		body := append(condition.tests, permit, refuse)
		filter = append(filter, jump(unix.BPF_JEQ, condition.call, 0, uint8(len(body))))
		filter = append(filter, body...)
	}
	return append(filter, refuse)
}

// argument gives the offset of the low half of an argument; both architectures are little endian.
func argument(index uint32) uint32 { return offsetArgs + 8*index }

func load(offset uint32) unix.SockFilter {
	return statement(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, offset)
}

func statement(code uint16, value uint32) unix.SockFilter {
	return unix.SockFilter{Code: code, K: value}
}

func jump(test uint16, value uint32, met, unmet uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | test | unix.BPF_K, Jt: met, Jf: unmet, K: value}
}
