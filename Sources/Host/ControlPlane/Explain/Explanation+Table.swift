/// What is said of each cause. `{name}` is filled from the facts.
extension Explanation {
    struct Entry: Sendable {
        var because: String
        var steps: [Step]

        init(_ because: String, _ steps: [(String, String)] = []) {
            self.because = because
            self.steps = steps.map { Step(command: $0.0, why: $0.1) }
        }
    }

    static func entry(_ cause: Cause) -> Entry {
        guard let entry = table[cause] else { preconditionFailure("nothing is said of \(cause)") }
        return entry
    }

    static let summaries: [Cause: String] = [
        .notDue: "It is due {due}.",
        .snoozed: "The handler asked to be run again {due}.",
        .retryWait: "It waits for another attempt ({used} of {attempts} used up), due {due}.",
        .blocked: "It waits for another run.",
        .emergency: "It waits because of an emergency ({emergency}).",
        .queuePaused: "It waits because queue {queue} is paused{pause_reason}.",
        .jobPaused: "It waits because job {job} is paused{pause_reason}.",
        .limitReached: "It waits because no more than {limit} may execute at once.",
        .exclusive: "It waits for {holder}: queue {queue} is exclusive.",
        .quarantined: "It waits because this version of its handler is in quarantine: {crashes} crashed.",
        .noHost: "It waits because no host is running.",
        .draining: "It waits because the only host is shutting down.",
        .noHandler: "It waits because this host has no handler for job {job}.",
        .slotsFull: "It waits for a free slot: {busy} of {slots} are taken.",
        .behindOthers: "It waits in line, at place {position} of queue {queue}.",
        .nextInLine: "It is next in line and should start at once.",
        .starting: "A process for it is being made.",
        .running: "It has been running for {running_for}.",
        .runningElsewhere: "It has been running for {running_for} on {other_host}.",
        .frozen: "It is frozen: its processes and its clocks stand still.",
        .cancelling: "It was asked to stop{stop_reason} and has until its grace is over.",
        .terminating: "It is being ended by force{stop_reason}.",
        .succeeded: "It succeeded.",
        .failed: "It failed.",
        .error: "The handler reported an error: {error}",
        .crashSignal: "It crashed with {signal}{place}.",
        .crashNoResult: "Its process ended with exit code{exit} and without a result.",
        .crashSandbox: "The sandbox stopped it{place}: it did what its profile forbids.",
        .crashKilled: "Somebody outside of Pawl killed it with {signal}.",
        .outputLimit: "It wrote more than {output} and was ended for it.",
        .protocolError: "It broke the protocol between handler and host, and was ended.",
        .wall: "It ran longer than the {wall} that it is allowed.",
        .cpu: "It used more processor time than the {cpu} that it is allowed.",
        .noProgress: "It gave no sign of progress for {no_progress}.",
        .start: "Its process did not begin within {start}.",
        .outOfMemory: "It used more memory than the {memory} that it is allowed.",
        .cancelled: "It was cancelled{stop_reason}, and ended by itself{took}.",
        .cancelledWaiting: "It was cancelled{stop_reason} while it waited.",
        .terminated: "It was ended by force{stop_reason}{took}.",
        .lostHost: "Its host died or shut down under it.",
        .lostZygote: "The process that kept it died; how it ended is unknown.",
        .lostTooOften: "It was given up after {lost} that ended with their host.",
        .expired: "It was not started within {queue_limit}, and expired.",
        .stale: "It was ended by the cleanup of stale runs.",
    ]

    static let table: [Cause: Entry] = [
        // Waiting
        .notDue: Entry(
            "Runs begin when they are due, not before.",
            [("pawl show {run}", "its time and settings"), ("pawl cancel {run}", "if it should not run at all")]),
        .snoozed: Entry(
            "The attempt ended by snoozing, which uses up no attempt. The next one begins when the time has come.",
            [("pawl logs {run}", "what it said before")]),
        .retryWait: Entry(
            "An attempt failed, and its job's policy has attempts left. The wait between them grows with each.",
            [
                ("pawl show {run}", "the attempts so far"), ("pawl logs {run} --tail 20", "its last words"),
                ("pawl cancel {run}", "if another attempt is pointless"),
            ]),
        .blocked: Entry(
            "It is let into its queue when the runs before it are over.", [("pawl runs --job {job}", "the others")]),
        .emergency: Entry(
            "As long as it stands no host claims a run of any queue.",
            [
                ("pawl safety emergency", "what stands, who said so, and why"),
                ("pawl safety emergency off", "lift it, if you are the owner"),
            ]),
        .queuePaused: Entry(
            "Nothing of a paused queue is started, whatever its priority. What runs already goes on.",
            [("pawl api POST /api/v1/queues/{queue_path}/resume", "let the queue go on")]),
        .jobPaused: Entry(
            "Nothing of a paused job is started, in whatever queue. What runs already goes on.",
            [("pawl jobs resume {job}", "let the job go on")]),
        .limitReached: Entry(
            "As many runs execute as the operator lets. The next one starts when one of them ends.",
            [
                ("pawl runs --state running --queue {queue}", "what runs"),
                ("pawl queues", "the limits"), ("pawl queues set --help", "change one"),
            ]),
        .exclusive: Entry(
            "One host at a time serves an exclusive queue. Another takes over when that one has stopped or fallen silent.",
            [
                ("pawl queues", "who holds it"), ("pawl hosts", "whether that host is well"),
                ("pawl exclusive {queue} --off", "let every host serve it"),
            ]),
        .quarantined: Entry(
            """
            A version of a handler that keeps crashing is taken out of service for a while, so that it does not crash \
            for every run. The next try is {trial}; one success ends the quarantine.
            """,
            [
                ("pawl crashes", "what it crashes with"),
                ("pawl quarantines lift {handler} {version}", "try it at once, if the cause is mended"),
                ("pawl jobs settings {job} --quarantine off", "never hold this job back"),
            ]),
        .noHost: Entry(
            "No host has given a sign of life lately, so nobody takes runs from the queues.",
            [("pawl serve", "start one"), ("pawl hosts", "those that are known")]),
        .draining: Entry(
            "A host that shuts down finishes what it runs and starts nothing new.",
            [("pawl hosts", "whether another one is there")]),
        .noHandler: Entry(
            "A run is taken by a host that has its handler loaded.{plugin_error}{other_hosts}",
            [("pawl plugins", "what is loaded, and why something is not"), ("pawl jobs {job}", "the job")]),
        .slotsFull: Entry(
            "A host executes as many attempts at once as it has slots. This one starts when one of them ends.",
            [
                ("pawl runs --state running", "what takes the slots"),
                ("pawl hosts", "slots of all hosts"),
            ]),
        .behindOthers: Entry(
            "Runs of a queue start by priority, and at equal priority in the order in which they came.",
            [
                ("pawl runs --queue {queue} --state queued", "the line"),
                ("pawl queues", "how much waits in all"),
            ]),
        .nextInLine: Entry(
            "Its queue is open, its handler is loaded and a slot is free. If it stays so for seconds, look at the host.",
            [("pawl show {run}", "whether it has begun"), ("pawl safety", "whether the host is well")]),
        // Running
        .starting: Entry(
            "The host has claimed it and waits for its process to begin; within {start}, or the attempt is ended.",
            [("pawl show {run}", "how far it is")]),
        .running: Entry(
            "A process of its own works on it. It may run for {wall} in all.",
            [
                ("pawl watch {run}", "follow it"),
                ("pawl diagnose {run}", "what each of its threads is doing now"),
                ("pawl extend {run} --by 30m", "if it needs more time"),
            ]),
        .runningElsewhere: Entry(
            "This host knows of it what the database says, which is some seconds old.",
            [("pawl logs {run} --follow", "its log as it comes"), ("pawl hosts", "where to ask for more")]),
        .frozen: Entry(
            "Somebody froze it. It uses no processor time, keeps its memory and files, and no deadline passes meanwhile.",
            [
                ("pawl thaw {run}", "let it go on"),
                ("pawl diagnose {run}", "what each of its threads stood at"),
                ("pawl terminate {run}", "end it"),
            ]),
        .cancelling: Entry(
            "The handler was told. After {cancel_grace} it gets SIGTERM, and {term_grace} later its whole tree is killed.",
            [("pawl terminate {run}", "do not wait for the grace"), ("pawl diagnose {run}", "why it does not end")]),
        .terminating: Entry(
            "It has got SIGTERM; after {term_grace} its whole tree is killed. It counts as ended when no process is left.",
            [("pawl show {run}", "how far the ladder is")]),
        // Ended
        .succeeded: Entry("The handler returned its result.", [("pawl show {run}", "the result")]),
        .failed: Entry(
            "It used up its attempts.", [("pawl show {run}", "all of them"), ("pawl retry {run}", "run it again")]),
        .error: Entry(
            "The handler ended by itself and said that it did not work. {used} of {attempts} attempts are used up.",
            [
                ("pawl logs {run} --tail 20", "its last words"),
                ("pawl retry {run}", "run it again when the cause is mended"),
            ]),
        .crashSignal: Entry(
            """
            A fault in the handler's code, or in a library that it calls, made the kernel end its process. \
            Nothing else was touched.
            """,
            [
                ("pawl replay {run} --gdb", "stop where it crashed, with the same bytes and arguments"),
                ("pawl crashes", "crashes of this kind"),
                ("pawl logs {run} --tail 20", "its last words"),
                ("pawl retry {run}", "run it again"),
            ]),
        .crashNoResult: Entry(
            "It called exit, or a library did for it. A handler ends by returning, never by ending the process.",
            [
                ("pawl logs {run} --tail 20", "its last words"),
                ("pawl replay {run} --gdb", "run it under the debugger: break exit"),
                ("pawl retry {run}", "run it again"),
            ]),
        .crashSandbox: Entry(
            "The job's sandbox profile forbids a system call or a place that it used.",
            [
                ("pawl replay {run} --strace", "which call it was"),
                ("pawl jobs settings {job}", "what its profile allows"),
                ("pawl jobs settings {job} --sandbox basic", "allow it, if that is right"),
            ]),
        .crashKilled: Entry(
            "The signal came from another process: a person, an init system, or the kernel for the whole machine's memory.",
            [
                ("journalctl -k --grep oom", "whether the kernel did it"),
                ("pawl retry {run}", "run it again"),
            ]),
        .outputLimit: Entry(
            "Its job says that an attempt that writes too much is ended, not only cut short.",
            [
                ("pawl logs {run} --tail 20", "what it wrote"),
                ("pawl jobs settings {job} --output-policy drop", "drop and count what is too much"),
                ("pawl jobs settings {job} --set limits.output=64M", "allow more"),
            ]),
        .protocolError: Entry(
            "What its process sent made no sense to the host. Most often its memory was overwritten.",
            [
                ("pawl replay {run} --valgrind", "who writes where"),
                ("pawl retry {run}", "run it again"),
            ]),
        .wall: Entry(
            """
            Its wall time was over: it was asked to stop, and ended by force where it did not. A look at what it was doing \
            is kept with the attempt.
            """,
            [
                ("pawl show {run}", "what it was doing when it was ended"),
                ("pawl jobs settings {job} --set limits.wall={twice_wall}", "allow more time"),
                ("pawl retry {run}", "run it again"),
            ]),
        .cpu: Entry(
            "User and system time of all its processes together were beyond the limit: a busy loop, or more work than expected.",
            [
                ("pawl show {run}", "where it was busy"),
                ("pawl jobs settings {job} --set limits.cpu={twice_cpu}", "allow more"),
                ("pawl retry {run}", "run it again"),
            ]),
        .noProgress: Entry(
            "A handler with this limit has to report progress, log or write within it. One that is stuck does none of them.",
            [
                ("pawl show {run}", "what it was stuck in"),
                ("pawl jobs settings {job} --set limits.no_progress={twice_no_progress}", "allow longer silence"),
                ("pawl retry {run}", "run it again"),
            ]),
        .start: Entry(
            "The machine was too busy to make a process in time, or the plugin's child_start hangs.",
            [
                ("pawl safety", "whether the host is well"),
                ("pawl jobs settings {job} --set limits.start=2m", "allow more time"),
                ("pawl retry {run}", "run it again"),
            ]),
        .outOfMemory: Entry(
            "The host, the kernel or the allocator ended it at its limit, and its neighbours were not touched.{peak}",
            [
                ("pawl show {run}", "how its memory grew"),
                ("pawl jobs settings {job} --set limits.memory={twice_memory}", "allow more"),
                ("pawl replay {run} --valgrind", "where the memory goes"),
                ("pawl retry {run}", "run it again"),
            ]),
        .cancelled: Entry(
            "Somebody asked it to stop, and the handler ended within its grace. Cancelled runs are not tried again.",
            [("pawl retry {run}", "run it again")]),
        .cancelledWaiting: Entry(
            "Somebody cancelled it before an attempt could end it otherwise.", [("pawl retry {run}", "run it again")]),
        .terminated: Entry(
            "Somebody asked it to stop, it did not within its grace, and its whole tree was ended.",
            [
                ("pawl show {run}", "each step and its time"),
                ("pawl retry {run}", "run it again"),
            ]),
        .lostHost: Entry(
            "An attempt that ends with its host is no fault of the handler and uses up no attempt.",
            [("pawl hosts", "which host it was"), ("pawl retry {run}", "run it again")]),
        .lostZygote: Entry(
            "An attempt that ends so is no fault of the handler and uses up no attempt.",
            [("pawl plugins", "whether the plugin is well"), ("pawl retry {run}", "run it again")]),
        .lostTooOften: Entry(
            "Lost attempts use up none, but a run that is lost again and again may be what kills its hosts.",
            [
                ("pawl hosts", "whether they are well"), ("pawl logs {run}", "its last words"),
                ("pawl retry {run}", "run it again"),
            ]),
        .expired: Entry(
            "Its job says how long a run may wait to be started, and nobody could start it in that time.",
            [
                ("pawl queues", "how much waits"),
                ("pawl jobs settings {job} --set limits.queue=1h", "allow a longer wait"),
                ("pawl retry {run}", "run it again"),
            ]),
        .stale: Entry(
            "It was running for longer than the age that the cleanup was told.",
            [("pawl retry {run}", "run it again")]),
    ]
}
