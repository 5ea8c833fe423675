//! Locking the process in, before the first byte of the input is looked at.
//!
//! Four walls, each sufficient against most of what a parser bug could be turned into:
//!
//! 1. resource limits: memory, computing time, no larger file, no further descriptor, no core dump;
//! 2. `no_new_privs`, and death with the parent;
//! 3. landlock without any rule: no path, no TCP port, no abstract socket, no signal to others;
//! 4. seccomp: the two dozen system calls that computing and writing to a pipe need; every other
//!    answers EPERM. No file or socket can be opened, no process or thread started, no page made
//!    executable.
//!
//! Each is tried on its own; what an old kernel lacks is reported and the others still stand. Without
//! the fourth no file is read, unless the administrator allows it.

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetStatus,
    Scope,
};
use rustix::process::{Resource, Rlimit, Signal};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

use super::super::protocol::{Landlock, Request, Walls};
use crate::blocking::give_way;

/// How far the main thread's stack may grow. Grown only when used; beyond it lies the kernel's
/// gap of at least 128 MiB below the first mapping.
const STACK_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Closes whatever the parent might have leaked beside the three standard descriptors.
pub fn close_inherited_files() {
    // SAFETY: no descriptor above 2 is in use yet; Rust's runtime opens none before main. On a
    // kernel without the call (before 5.9) nothing happens, and there Rust's own close-on-exec
    // still applies.
    unsafe {
        libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, 0u32);
    }
}

/// Puts up all walls that this kernel knows.
pub fn lock_in(request: &Request, input_bytes: u64) -> Walls {
    prefer_to_be_killed();
    if request.in_background {
        // Niceness is a courtesy: without it the child still works.
        give_way();
    }
    // The parent may be gone already; then writing the first frame fails and ends this process.
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    let landlock = forbid_paths();
    let resource_limits = limit_resources(request, input_bytes);
    let no_new_privileges = rustix::thread::set_no_new_privs(true).is_ok();
    let seccomp = allow_few_system_calls();
    Walls { resource_limits, no_new_privileges, landlock, seccomp }
}

/// When the machine runs out of memory, the kernel should take this process and not the server.
fn prefer_to_be_killed() {
    // Refused where /proc is hidden; then the kernel decides by size.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
}

fn limit_resources(request: &Request, input_bytes: u64) -> bool {
    let memory = request.memory_bytes.saturating_add(input_bytes);
    let limits = [
        (Resource::As, memory, memory),
        // At the soft limit SIGXCPU ends the process, which tells the parent why.
        (Resource::Cpu, request.cpu_s, request.cpu_s.saturating_add(1)),
        (Resource::Fsize, 0, 0),
        // Only the descriptors below this number can exist: the three that are open.
        (Resource::Nofile, 3, 3),
        (Resource::Nproc, 0, 0),
        (Resource::Core, 0, 0),
        (Resource::Memlock, 0, 0),
    ];
    let mut all = true;
    for (resource, current, maximum) in limits {
        all &= lower(resource, current, maximum);
    }
    // Raised, not lowered; a host that forbids it keeps its usual 8 MiB.
    let hard = rustix::process::getrlimit(Resource::Stack).maximum;
    let stack = hard.map_or(STACK_BYTES_MAX, |hard| hard.min(STACK_BYTES_MAX));
    lower(Resource::Stack, stack, stack);
    all
}

/// Sets both limits, without ever raising the hard one.
fn lower(resource: Resource, current: u64, maximum: u64) -> bool {
    let hard = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let maximum = maximum.min(hard);
    let limit = Rlimit { current: Some(current.min(maximum)), maximum: Some(maximum) };
    rustix::process::setrlimit(resource, limit).is_ok()
}

fn forbid_paths() -> Landlock {
    let newest = ABI::V6;
    let restricted = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(newest))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(newest)))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(newest)))
        .and_then(|ruleset| ruleset.create())
        .and_then(|ruleset| ruleset.restrict_self());
    match restricted.map(|status| status.ruleset) {
        Ok(RulesetStatus::FullyEnforced) => Landlock::Full,
        Ok(RulesetStatus::PartiallyEnforced) => Landlock::Partial,
        Ok(RulesetStatus::NotEnforced) | Err(_) => Landlock::None,
    }
}

fn allow_few_system_calls() -> bool {
    let Ok(program) = filter() else { return false };
    let Ok(length) = u16::try_from(program.len()) else { return false };
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
    // By `prctl` and not by `seccomp`: the filter that systemd puts around services (the set
    // @system-service) knows the former only.
    // SAFETY: the kernel copies the program, which lives until the call returns; both crates'
    // instructions are the kernel's own structure.
    unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0 }
}

fn filter() -> Result<BpfProgram, seccompiler::BackendError> {
    // Without conditions: computing, memory, signals to oneself, leaving.
    let plain = [
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_brk,
        libc::SYS_madvise,
        libc::SYS_futex,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        libc::SYS_restart_syscall,
        libc::SYS_getrandom,
        libc::SYS_clock_gettime,
        libc::SYS_sched_yield,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ];
    let mut rules: std::collections::BTreeMap<i64, Vec<SeccompRule>> =
        plain.into_iter().map(|call| (call, Vec::new())).collect();
    // Only to the pipes to the parent.
    let to = |descriptor| equals(0, descriptor);
    rules.insert(libc::SYS_write, vec![when([to(1)?])?, when([to(2)?])?]);
    rules.insert(libc::SYS_writev, vec![when([to(1)?])?, when([to(2)?])?]);
    // Memory that is nobody's file, and never executable.
    let not_executable = without_bits(2, libc::PROT_EXEC as u64)?;
    let anonymous = with_bits(3, libc::MAP_ANONYMOUS as u64)?;
    rules.insert(libc::SYS_mmap, vec![when([not_executable.clone(), anonymous])?]);
    rules.insert(libc::SYS_mprotect, vec![when([not_executable])?]);
    // `abort` sends itself a signal; nobody else may get one.
    let own_pid = rustix::process::getpid().as_raw_nonzero().get();
    rules.insert(libc::SYS_tgkill, vec![when([equals(0, own_pid as u64)?])?]);
    let architecture = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(
        rules,
        SeccompAction::Errno(libc::EPERM as u32),
        SeccompAction::Allow,
        architecture,
    )?
    .try_into()
}

type Condition = Result<SeccompCondition, seccompiler::BackendError>;

fn when<const N: usize>(
    conditions: [SeccompCondition; N],
) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(conditions.into())
}

fn equals(argument: u8, value: u64) -> Condition {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

fn without_bits(argument: u8, bits: u64) -> Condition {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(bits), 0)
}

fn with_bits(argument: u8, bits: u64) -> Condition {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(bits), bits)
}
