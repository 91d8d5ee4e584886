//! pawl.rs - pawl.h for Rust, by hand and without crates: `#[macro_use] mod pawl;`, then `plugin!`.
//!
//! A handler is a function `fn(&Attempt) -> Outcome`. A panic of it is caught at the border and becomes a failure of the
//! attempt (build with the default `panic = "unwind"`). Every error type can be sent up with `?`. Threads and lifetimes are
//! those of pawl.h: an [`Attempt`] may be used from any thread until the handler returns.
//!
//! SPDX-License-Identifier: Apache-2.0
#![allow(dead_code)]

use std::ffi::{c_void, CString};
use std::os::raw::c_char;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

// ---------------------------------------------------------------------------------------------------------------------
// The handler's side

/// Why an attempt fails.
pub struct Failure {
    status: i32,
    retry: i32,
    code: String,
    message: String,
    details: String,
    not_before_ms: i64,
    /// The host knows already.
    is_told: bool,
}

impl Failure {
    /// `code`: short and stable, e.g. "http_503"; equal codes are grouped. `message`: for people. Retried by policy.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Failure {
        Failure {
            status: raw::E_FAILED,
            retry: 0,
            code: code.into(),
            message: message.into(),
            details: String::new(),
            not_before_ms: 0,
            is_told: false,
        }
    }

    /// The args are wrong; never retried. `pointer`: a JSON Pointer to the member, e.g. "/times".
    pub fn invalid_input(pointer: &str, words: &str) -> Failure {
        let mut failure = Failure::new("invalid_input", format!("args{pointer}: {words}")).retry_never();
        failure.status = raw::E_INVALID_INPUT;
        failure.details = format!("{{\"pointer\":{}}}", json_string(pointer));
        failure
    }

    /// The attempt stops because it was cancelled.
    pub fn cancelled() -> Failure {
        Failure { status: raw::E_CANCELLED, is_told: true, ..Failure::new("", "") }
    }

    /// Final: the run ends failed at once.
    pub fn retry_never(mut self) -> Failure {
        self.retry = 1;
        self
    }

    /// Another attempt, also where the policy would not retry this code, and not before so much time has passed.
    pub fn retry_after(mut self, delay: Duration) -> Failure {
        self.retry = 2;
        self.not_before_ms = unix_ms(SystemTime::now() + delay);
        self
    }

    /// What helps to understand it, as JSON.
    pub fn details(mut self, json: impl Into<String>) -> Failure {
        self.details = json.into();
        self
    }

    fn refused(status: i32) -> Failure {
        Failure { status, is_told: true, ..Failure::new("", "") }
    }
}

/// Any error, under the name of its type; retried by policy.
impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::new(std::any::type_name::<E>(), error.to_string())
    }
}

/// How an attempt ends well.
pub enum Ending {
    /// No result: JSON null.
    Nothing,
    /// A JSON text; the host checks it.
    Json(String),
    /// Bytes of a media type.
    Bytes(Vec<u8>, &'static str),
    /// Not now: the run is put back until then, without using up an attempt.
    Snooze(SystemTime),
}

pub type Outcome = Result<Ending, Failure>;

#[derive(Clone, Copy)]
pub enum Level {
    Debug = 0,
    Info = 1,
    Warning = 2,
    Error = 3,
}

/// One attempt.
pub struct Attempt<'a> {
    handle: *mut raw::Attempt,
    /// The args as JSON text.
    pub json: &'a str,
}

// What the header marks [any] may be called from any thread; nothing else is reachable through an Attempt.
unsafe impl Send for Attempt<'_> {}
unsafe impl Sync for Attempt<'_> {}

impl Attempt<'_> {
    fn host(&self) -> &raw::Host {
        // The first member of a handle; the table lives until the process ends.
        unsafe { &*(*self.handle).host }
    }

    /// "run_" and 13 characters.
    pub fn run_id(&self) -> String {
        unsafe { (self.host().run_id)(self.handle).to_string() }
    }

    pub fn job_name(&self) -> String {
        unsafe { (self.host().job_name)(self.handle).to_string() }
    }

    /// 1 for the first attempt.
    pub fn number(&self) -> u32 {
        unsafe { (self.host().attempt_number)(self.handle) }
    }

    /// A private directory, removed afterwards.
    pub fn scratch_dir(&self) -> Option<String> {
        let text = unsafe { (self.host().scratch_dir)(self.handle).to_string() };
        if text.is_empty() { None } else { Some(text) }
    }

    /// Time until the deadline (zero once it has passed); it may move: ask again.
    pub fn time_left(&self) -> Option<Duration> {
        let deadline = unsafe { (self.host().deadline_ns)(self.handle) };
        let now = unsafe { (self.host().now_ns)() };
        if deadline == i64::MAX { None } else { Some(Duration::from_nanos(deadline.saturating_sub(now).max(0) as u64)) }
    }

    /// Whether somebody asked this attempt to stop: cheap, ask in every loop.
    pub fn is_cancelled(&self) -> bool {
        unsafe { (self.host().is_cancelled)(self.handle) != 0 }
    }

    /// `attempt.check_cancelled()?` leaves the handler once somebody asked it to stop.
    pub fn check_cancelled(&self) -> Result<(), Failure> {
        if self.is_cancelled() { Err(Failure::cancelled()) } else { Ok(()) }
    }

    pub fn log(&self, level: Level, message: &str) {
        self.log_with(level, message, "");
    }

    /// `fields`: a JSON object, or "".
    pub fn log_with(&self, level: Level, message: &str, fields: &str) {
        unsafe { (self.host().log)(self.handle, level as i32, message.into(), fields.into()) };
    }

    pub fn stage(&self, name: &str) {
        unsafe { (self.host().set_stage)(self.handle, name.into()) };
    }

    pub fn total(&self, total: u64, unit: &str) {
        unsafe { (self.host().set_total)(self.handle, total, unit.into()) };
    }

    pub fn advance(&self, n: u64) {
        unsafe { (self.host().advance)(self.handle, n) };
    }

    pub fn message(&self, text: &str) {
        unsafe { (self.host().set_message)(self.handle, text.into()) };
    }

    /// Adds to a counter ("inserts", "errors"); they stand in the summary at every end, a crash included.
    pub fn count(&self, kind: &str, n: i64) {
        unsafe { (self.host().count)(self.handle, kind.into(), n) };
    }

    /// Asks for a run of `job` once this run has succeeded. `args`: a JSON object, or "". `options`: a JSON object with delay_ms,
    /// priority, attempts, queue, title, labels, or "". What the host refuses at once is a failure that says why.
    pub fn enqueue(&self, job: &str, args: &str, options: &str) -> Result<(), Failure> {
        let host = self.host();
        let table = unsafe { (host.get_extension)(host, b"pawl.follow-up/1\0".as_ptr() as *const c_char) };
        let table = unsafe { (table as *const raw::FollowUpTable).as_ref() }
            .ok_or_else(|| Failure::new("unsupported", "this host has no extension pawl.follow-up/1").retry_never())?;
        let wanted = raw::FollowUp {
            struct_size: std::mem::size_of::<raw::FollowUp>() as u32,
            reserved0: 0,
            job: job.into(),
            args_json: args.into(),
            options_json: options.into(),
        };
        let mut why: raw::Str = "".into();
        if unsafe { (table.enqueue)(self.handle, &wanted, &mut why) } == raw::OK { return Ok(()) }
        let words = format!("a follow-up run of {job}: {}", unsafe { why.to_string() });
        Err(Failure::new("follow_up_refused", words).retry_never())
    }

    // -- Args, member by member. Absent or null: None. Of another type: the run says so, and `?` leaves the handler.

    fn args(&self) -> Result<&raw::ArgsTable, Failure> {
        let host = self.host();
        let table = unsafe { (host.get_extension)(host, b"pawl.args/1\0".as_ptr() as *const c_char) };
        unsafe { (table as *const raw::ArgsTable).as_ref() }
            .ok_or_else(|| Failure::new("unsupported", "this host has no extension pawl.args/1").retry_never())
    }

    pub fn arg_str(&self, key: &str) -> Result<Option<String>, Failure> {
        let mut text = raw::Str::none();
        let status = unsafe { (self.args()?.get_str)(self.handle, c_string(key)?.as_ptr(), &mut text) };
        found(status, || unsafe { text.to_string() })
    }

    pub fn arg_int(&self, key: &str, allowed: std::ops::RangeInclusive<i64>) -> Result<Option<i64>, Failure> {
        let mut value = 0;
        let (low, high) = (*allowed.start(), *allowed.end());
        let status = unsafe { (self.args()?.get_int)(self.handle, c_string(key)?.as_ptr(), low, high, &mut value) };
        found(status, || value)
    }

    pub fn arg_f64(&self, key: &str) -> Result<Option<f64>, Failure> {
        let mut value = 0.0;
        let status = unsafe { (self.args()?.get_double)(self.handle, c_string(key)?.as_ptr(), &mut value) };
        found(status, || value)
    }

    pub fn arg_bool(&self, key: &str) -> Result<Option<bool>, Failure> {
        let mut value = 0;
        let status = unsafe { (self.args()?.get_bool)(self.handle, c_string(key)?.as_ptr(), &mut value) };
        found(status, || value != 0)
    }

    /// The member's JSON text, of any type.
    pub fn arg_json(&self, key: &str) -> Result<Option<String>, Failure> {
        let mut text = raw::Str::none();
        let status = unsafe { (self.args()?.get_json)(self.handle, c_string(key)?.as_ptr(), &mut text) };
        found(status, || unsafe { text.to_string() })
    }

    /// An array of strings.
    pub fn arg_strs(&self, key: &str) -> Result<Option<Vec<String>>, Failure> {
        let (table, name, mut count) = (self.args()?, c_string(key)?, 0);
        let status = unsafe { (table.array_count)(self.handle, name.as_ptr(), &mut count) };
        if found(status, || ())?.is_none() {
            return Ok(None);
        }
        let mut texts = Vec::with_capacity(count);
        for index in 0..count {
            let mut text = raw::Str::none();
            let status = unsafe { (table.array_str)(self.handle, name.as_ptr(), index, &mut text) };
            texts.push(found(status, || unsafe { text.to_string() })?.unwrap_or_default());
        }
        Ok(Some(texts))
    }

    /// Refuses members of other names: a misspelt one should not be ignored.
    pub fn only_args(&self, names: &[&str]) -> Result<(), Failure> {
        let names = names.iter().map(|name| c_string(name)).collect::<Result<Vec<_>, _>>()?;
        let pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
        let status = unsafe { (self.args()?.only)(self.handle, pointers.as_ptr(), pointers.len()) };
        if status == raw::OK { Ok(()) } else { Err(Failure::refused(status)) }
    }
}

/// A text as JSON, with its quotes.
pub fn json_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn c_string(text: &str) -> Result<CString, Failure> {
    CString::new(text).map_err(Failure::from)
}

fn found<T>(status: i32, value: impl FnOnce() -> T) -> Result<Option<T>, Failure> {
    match status {
        raw::OK => Ok(Some(value())),
        raw::E_NOT_FOUND => Ok(None),
        status => Err(Failure::refused(status)),
    }
}

fn unix_ms(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map(|since| since.as_millis() as i64).unwrap_or(0)
}

// ---------------------------------------------------------------------------------------------------------------------
// The border

/// What `pawl_handler.run` does: nothing that `work` panics with passes it.
///
/// # Safety
/// Called by the host, with its own handle and args.
pub unsafe fn border(work: fn(&Attempt) -> Outcome, handle: *mut raw::Attempt, args: raw::Bytes) -> i32 {
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let bytes = if args.len == 0 { &[] } else { std::slice::from_raw_parts(args.ptr as *const u8, args.len) };
        let json = std::str::from_utf8(bytes)?;
        let attempt = Attempt { handle, json };
        work(&attempt).and_then(|ending| finish(&attempt, ending))
    }));
    let failure = match caught {
        Ok(Ok(())) => return raw::OK,
        Ok(Err(failure)) => failure,
        Err(panic) => {
            // The default panic hook wrote it to standard error as well, with file and line.
            let words = panic.downcast_ref::<&str>().map(|words| words.to_string());
            let words = words.or_else(|| panic.downcast_ref::<String>().cloned());
            Failure::new("panic", words.unwrap_or_else(|| "the handler panicked".to_string()))
        }
    };
    if !failure.is_told {
        let told = raw::Failure {
            struct_size: std::mem::size_of::<raw::Failure>() as u32,
            retry: failure.retry,
            code: failure.code.as_str().into(),
            message: failure.message.as_str().into(),
            details_json: failure.details.as_str().into(),
            not_before_unix_ms: failure.not_before_ms,
        };
        ((*(*handle).host).fail)(handle, &told);
    }
    failure.status
}

fn finish(attempt: &Attempt, ending: Ending) -> Result<(), Failure> {
    let (host, handle) = (attempt.host(), attempt.handle);
    let status = unsafe {
        match &ending {
            Ending::Nothing => raw::OK,
            Ending::Json(text) => (host.result_json)(handle, text.as_str().into()),
            Ending::Bytes(bytes, media_type) => {
                let bytes = raw::Bytes { ptr: bytes.as_ptr() as *const c_void, len: bytes.len() };
                (host.result_bytes)(handle, bytes, (*media_type).into())
            }
            Ending::Snooze(until) => (host.snooze)(handle, unix_ms(*until)),
        }
    };
    match status {
        raw::OK => Ok(()),
        raw::E_LIMIT => Err(Failure::new("result_too_large", "the host refused the result: too large").retry_never()),
        raw::E_INVALID_INPUT => {
            Err(Failure::new("result_not_json", "the host refused the result: not valid JSON").retry_never())
        }
        status => Err(Failure::refused(status)),
    }
}

/// The entry of a plugin and its descriptor.
///
/// `plugin!("name", "1.0.0", [{ name: "hello.rust", description: "…", args_schema: r#"{…}"#, run: hello }]);`
#[macro_export]
macro_rules! plugin {
    ($name:literal, $version:literal, [$({
        name: $handler:literal, description: $description:literal, args_schema: $schema:literal, run: $run:path $(,)?
    }),+ $(,)?]) => {
        #[no_mangle]
        pub extern "C" fn pawl_plugin_entry(
            _host: *const $crate::pawl::raw::Host, abi_major: u32, _abi_minor: u32, host_size: u32,
        ) -> *const $crate::pawl::raw::Plugin {
            use $crate::pawl::raw;
            const COUNT: usize = [$($handler),+].len();
            static HANDLERS: raw::Shared<[raw::Handler; COUNT]> = raw::Shared([$({
                unsafe extern "C" fn run(
                    _user: *mut std::ffi::c_void, attempt: *mut raw::Attempt, args: raw::Bytes,
                ) -> i32 {
                    $crate::pawl::border($run, attempt, args)
                }
                raw::Handler::new(
                    concat!($handler, "\0"), concat!($description, "\0"), concat!($schema, "\0"), run)
            }),+]);
            static PLUGIN: raw::Shared<raw::Plugin> = raw::Shared(raw::Plugin::new(
                concat!($name, "\0"), concat!($version, "\0"), &HANDLERS.0 as *const raw::Handler, COUNT as u32));
            if abi_major == raw::ABI_MAJOR && host_size as usize >= std::mem::size_of::<raw::Host>() {
                &PLUGIN.0
            } else {
                std::ptr::null()
            }
        }
    };
}

// ---------------------------------------------------------------------------------------------------------------------
// The header, by hand. Members keep the header's order; scripts/check-abi-reference compares the two.

pub mod raw {
    use super::{c_char, c_void};

    pub const ABI_MAJOR: u32 = 1;
    pub const ABI_MINOR: u32 = 0;
    pub const OK: i32 = 0;
    pub const E_FAILED: i32 = 1;
    pub const E_CANCELLED: i32 = 3;
    pub const E_INVALID_INPUT: i32 = 5;
    pub const E_LIMIT: i32 = 7;
    pub const E_NOT_FOUND: i32 = 10;

    /// Text, borrowed until the call returns.
    #[repr(C)]
    #[derive(Clone, Copy)]
    pub struct Str {
        pub ptr: *const c_char,
        pub len: usize,
    }

    impl Str {
        pub const fn none() -> Str {
            Str { ptr: std::ptr::null(), len: 0 }
        }

        /// # Safety
        /// The text must still be lent.
        pub unsafe fn to_string(self) -> String {
            if self.len == 0 {
                return String::new();
            }
            String::from_utf8_lossy(std::slice::from_raw_parts(self.ptr as *const u8, self.len)).into_owned()
        }
    }

    impl From<&str> for Str {
        fn from(text: &str) -> Str {
            Str { ptr: text.as_ptr() as *const c_char, len: text.len() }
        }
    }

    #[repr(C)]
    #[derive(Clone, Copy)]
    pub struct Bytes {
        pub ptr: *const c_void,
        pub len: usize,
    }

    #[repr(C)]
    pub struct Attempt {
        pub host: *const Host,
    }

    #[repr(C)]
    pub struct Failure {
        pub struct_size: u32,
        pub retry: i32,
        pub code: Str,
        pub message: Str,
        pub details_json: Str,
        pub not_before_unix_ms: i64,
    }

    #[repr(C)]
    pub struct Host {
        pub struct_size: u32,
        pub abi_major: u32,
        pub abi_minor: u32,
        pub reserved0: u32,
        pub get_extension: unsafe extern "C" fn(*const Host, *const c_char) -> *const c_void,
        pub run_id: unsafe extern "C" fn(*const Attempt) -> Str,
        pub job_name: unsafe extern "C" fn(*const Attempt) -> Str,
        pub attempt_number: unsafe extern "C" fn(*const Attempt) -> u32,
        pub deadline_ns: unsafe extern "C" fn(*const Attempt) -> i64,
        pub now_ns: unsafe extern "C" fn() -> i64,
        pub scratch_dir: unsafe extern "C" fn(*const Attempt) -> Str,
        pub traceparent: unsafe extern "C" fn(*const Attempt) -> Str,
        pub is_cancelled: unsafe extern "C" fn(*const Attempt) -> i32,
        pub cancel_fd: unsafe extern "C" fn(*const Attempt) -> i32,
        pub log: unsafe extern "C" fn(*mut Attempt, i32, Str, Str) -> i32,
        pub set_progress: unsafe extern "C" fn(*mut Attempt, u64, u64, Str) -> i32,
        pub set_stage: unsafe extern "C" fn(*mut Attempt, Str) -> i32,
        pub set_total: unsafe extern "C" fn(*mut Attempt, u64, Str) -> i32,
        pub advance: unsafe extern "C" fn(*mut Attempt, u64) -> i32,
        pub set_message: unsafe extern "C" fn(*mut Attempt, Str) -> i32,
        pub count: unsafe extern "C" fn(*mut Attempt, Str, i64) -> i32,
        pub result_json: unsafe extern "C" fn(*mut Attempt, Str) -> i32,
        pub result_bytes: unsafe extern "C" fn(*mut Attempt, Bytes, Str) -> i32,
        pub fail: unsafe extern "C" fn(*mut Attempt, *const Failure) -> i32,
        pub snooze: unsafe extern "C" fn(*mut Attempt, i64) -> i32,
    }

    #[repr(C)]
    pub struct Limits {
        pub struct_size: u32,
        pub attempts: u32,
        pub wall_ms: u64,
        pub cpu_ms: u64,
        pub memory_bytes: u64,
        pub output_bytes: u64,
        pub file_bytes: u64,
        pub open_files: u32,
        pub processes: u32,
        pub cancel_grace_ms: u64,
        pub term_grace_ms: u64,
    }

    pub type Run = unsafe extern "C" fn(*mut c_void, *mut Attempt, Bytes) -> i32;

    #[repr(C)]
    pub struct Handler {
        pub struct_size: u32,
        pub reserved0: u32,
        pub flags: u64,
        pub name: *const c_char,
        pub description: *const c_char,
        pub args_schema: *const c_char,
        pub result_schema: *const c_char,
        pub limits: *const Limits,
        pub user: *mut c_void,
        pub run: Option<Run>,
        pub reset: Option<unsafe extern "C" fn(*mut c_void) -> i32>,
    }

    impl Handler {
        /// Texts with their zero.
        pub const fn new(name: &'static str, description: &'static str, schema: &'static str, run: Run) -> Handler {
            Handler {
                struct_size: std::mem::size_of::<Handler>() as u32,
                reserved0: 0,
                flags: 0,
                name: name.as_ptr() as *const c_char,
                description: description.as_ptr() as *const c_char,
                args_schema: schema.as_ptr() as *const c_char,
                result_schema: std::ptr::null(),
                limits: std::ptr::null(),
                user: std::ptr::null_mut(),
                run: Some(run),
                reset: None,
            }
        }
    }

    #[repr(C)]
    pub struct Plugin {
        pub struct_size: u32,
        pub abi_major: u32,
        pub abi_minor: u32,
        pub handler_size: u32,
        pub flags: u64,
        pub name: *const c_char,
        pub version: *const c_char,
        pub handlers: *const Handler,
        pub handler_count: u32,
        pub reserved0: u32,
        pub init: Option<unsafe extern "C" fn(*const Host) -> i32>,
        pub prefork: Option<unsafe extern "C" fn() -> i32>,
        pub child_start: Option<unsafe extern "C" fn() -> i32>,
        pub get_extension: Option<unsafe extern "C" fn(*const c_char) -> *const c_void>,
    }

    impl Plugin {
        /// Texts with their zero.
        pub const fn new(name: &'static str, version: &'static str, handlers: *const Handler, count: u32) -> Plugin {
            Plugin {
                struct_size: std::mem::size_of::<Plugin>() as u32,
                abi_major: ABI_MAJOR,
                abi_minor: ABI_MINOR,
                handler_size: std::mem::size_of::<Handler>() as u32,
                flags: 0,
                name: name.as_ptr() as *const c_char,
                version: version.as_ptr() as *const c_char,
                handlers,
                handler_count: count,
                reserved0: 0,
                init: None,
                prefork: None,
                child_start: None,
                get_extension: None,
            }
        }
    }

    #[repr(C)]
    pub struct ArgsTable {
        pub struct_size: u32,
        pub reserved0: u32,
        pub get_str: unsafe extern "C" fn(*mut Attempt, *const c_char, *mut Str) -> i32,
        pub get_int: unsafe extern "C" fn(*mut Attempt, *const c_char, i64, i64, *mut i64) -> i32,
        pub get_double: unsafe extern "C" fn(*mut Attempt, *const c_char, *mut f64) -> i32,
        pub get_bool: unsafe extern "C" fn(*mut Attempt, *const c_char, *mut i32) -> i32,
        pub get_json: unsafe extern "C" fn(*mut Attempt, *const c_char, *mut Str) -> i32,
        pub array_count: unsafe extern "C" fn(*mut Attempt, *const c_char, *mut usize) -> i32,
        pub array_str: unsafe extern "C" fn(*mut Attempt, *const c_char, usize, *mut Str) -> i32,
        pub only: unsafe extern "C" fn(*mut Attempt, *const *const c_char, usize) -> i32,
    }

    #[repr(C)]
    pub struct FollowUp {
        pub struct_size: u32,
        pub reserved0: u32,
        pub job: Str,
        pub args_json: Str,
        pub options_json: Str,
    }

    #[repr(C)]
    pub struct FollowUpTable {
        pub struct_size: u32,
        pub reserved0: u32,
        pub enqueue: unsafe extern "C" fn(*mut Attempt, *const FollowUp, *mut Str) -> i32,
    }

    /// A descriptor: written by the compiler, only read afterwards, alive until the process ends.
    #[repr(transparent)]
    pub struct Shared<T>(pub T);
    // See above; the pointers inside point to other such things.
    unsafe impl<T> Sync for Shared<T> {}
}
