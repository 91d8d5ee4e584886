import ControlPlane
import JobCore
import JobRunner
import JobStore
import UVLoop

/// The host's own figures for `/metrics`; the control plane adds those of HTTP.
extension HostControlAdapter {
    func metrics() -> [MetricFamily] {
        let figures = self.runnerFigures
        var families = [
            MetricFamily("pawl_worker_slots", "Attempts that may execute at once.", .gauge, Double(figures.slots)),
            MetricFamily("pawl_worker_slots_busy", "Attempts that execute now.", .gauge, Double(figures.executing)),
            MetricFamily("pawl_runs_claimed_total", "Runs claimed by this host.", .counter, Double(figures.claimed)),
            MetricFamily(
                "pawl_attempts_started_total", "Attempts whose handler began.", .counter, Double(figures.started)),
            MetricFamily(
                "pawl_attempts_settled_total", "Attempts settled by this host.", .counter, Double(figures.settled)),
            MetricFamily(
                "pawl_attempts_fenced_total", "Outcomes that came after somebody else had decided.", .counter,
                Double(figures.fenced)),
            MetricFamily(
                "pawl_attempts_unsettleable_total", "Outcomes that the database refused in every form.", .counter,
                Double(figures.unsettleable)),
            MetricFamily(
                "pawl_runs_expired_total", "Runs ended by this host because they were not started in time.", .counter,
                Double(figures.expired)),
            MetricFamily(
                "pawl_crashes_filed_total", "Crashes filed into their groups by this host.", .counter,
                Double(figures.crashesFiled)),
            MetricFamily(
                "pawl_outcomes_unsettled", "Ended attempts whose outcome is not committed yet.", .gauge,
                Double(figures.unsettled)),
            MetricFamily("pawl_log_lines_total", "Log lines committed.", .counter, Double(figures.logLines)),
            MetricFamily(
                "pawl_log_buffer_bytes", "Log lines held until the database has them.", .gauge,
                Double(figures.logBytesHeld)),
            MetricFamily(
                "pawl_log_spilled_bytes", "Log lines in the file that holds them while the database takes none.",
                .gauge,
                Double(figures.logBytesSpilled)),
            MetricFamily(
                "pawl_log_spilled_lines_total", "Log lines that went through that file.", .counter,
                Double(figures.logLinesSpilled)),
            MetricFamily(
                "pawl_log_dropped_lines_total", "Log lines dropped by this host for want of room.", .counter,
                Double(figures.logLinesDropped)),
            MetricFamily(
                "pawl_schedule_fired_total", "Firings by this host.", .counter, Double(figures.schedulesFired)),
            MetricFamily(
                "pawl_schedule_leader", "Whether this host is the one that fires.", .gauge, figures.isFiring ? 1 : 0),
            MetricFamily(
                name: "pawl_schedule_round_seconds",
                help: "How long the last look at schedules took that fired nothing, and the last that fired some.",
                kind: .gauge,
                samples: [("idle", figures.idleRound), ("firing", figures.firingRound)].compactMap { kind, spent in
                    spent.map { MetricSample($0.inSeconds, [MetricLabel("kind", kind)]) }
                }),
            MetricFamily("pawl_stream_clients", "Followers of runs.", .gauge, Double(figures.followers)),
            MetricFamily(
                "pawl_run_cpu_seconds_total", "Processor time of ended attempts.", .counter,
                (figures.userCPU + figures.systemCPU).inSeconds),
        ]
        families += self.safetyMetrics
        families.append(
            MetricFamily(
                name: "pawl_attempts_finished_total", help: "Attempts that ended here, by outcome.", kind: .counter,
                samples: AttemptOutcome.allCases.map {
                    MetricSample(Double(figures.ended[$0] ?? 0), [MetricLabel("outcome", $0.rawValue)])
                }))
        families.append(
            Self.histogram(
                "pawl_run_wait_seconds", "From the time when a run was due to its handler's begin.",
                bounds: DurationBuckets.bounds, figures.waits.cumulativeCounts, figures.waits.count, figures.waits.sum))
        families.append(
            Self.histogram(
                "pawl_attempt_seconds", "From a handler's begin to the end of its attempt.",
                bounds: DurationBuckets.bounds, figures.runTimes.cumulativeCounts, figures.runTimes.count,
                figures.runTimes.sum))
        families += Self.hosts(figures)
        families += Self.rules(self.store.admission)
        families.append(
            MetricFamily(
                name: "pawl_log_path", help: "Where log lines wait for the database: 1 for the present state.",
                kind: .gauge,
                samples: LogPathStateMachine.Phase.allCases.map {
                    MetricSample($0 == figures.logPath ? 1 : 0, [MetricLabel("state", $0.rawValue)])
                }))
        families.append(self.lagFamily)
        if let bytes = Self.residentBytes {
            families.append(
                MetricFamily("process_resident_memory_bytes", "Resident memory of the host.", .gauge, Double(bytes)))
        }
        return families
    }

    /// As this host last saw them: one sample for each queue and job with rules.
    private static func rules(_ admission: Admission) -> [MetricFamily] {
        var limits: [MetricSample] = []
        var pauses: [MetricSample] = []
        for (gate, rule) in admission.rules.sorted(by: { "\($0.key)" < "\($1.key)" }) {
            let label =
                switch gate {
                case .queue(let name): MetricLabel("queue", name)
                case .job(let name): MetricLabel("job", name)
                }
            pauses.append(MetricSample(rule.isPaused ? 1 : 0, [label]))
            if let most = rule.everywhere {
                limits.append(MetricSample(Double(most), [label, MetricLabel("scope", "all_hosts")]))
            }
            if let most = rule.here {
                limits.append(MetricSample(Double(most), [label, MetricLabel("scope", "host")]))
            }
        }
        return [
            MetricFamily(
                name: "pawl_concurrency_limit", help: "Runs of a queue or job that may execute at once.", kind: .gauge,
                samples: limits),
            MetricFamily(
                name: "pawl_paused", help: "1 while nothing of a queue or job with rules is started.", kind: .gauge,
                samples: pauses),
        ]
    }

    private static func hosts(_ figures: JobRunner.Figures) -> [MetricFamily] {
        [
            MetricFamily(
                name: "pawl_hosts", help: "Hosts of the last 30 days on this database, by state.", kind: .gauge,
                samples: HostState.allCases.map {
                    MetricSample(Double(figures.hosts[$0] ?? 0), [MetricLabel("state", $0.rawValue)])
                }),
            MetricFamily(
                "pawl_hosts_drift", "1 while the present hosts run different versions.", .gauge,
                figures.isDrifting ? 1 : 0),
            MetricFamily(
                "pawl_host_fenced_total", "How often this host was declared dead.", .counter, Double(figures.fencings)),
            MetricFamily(
                "pawl_hosts_silenced_total", "Hosts that this one has declared silent.", .counter,
                Double(figures.silenced)),
        ]
    }

    /// Lateness of a 10 ms timer since the start.
    private var lagFamily: MetricFamily {
        let lag = self.loopLag
        return Self.histogram(
            "pawl_event_loop_lag_seconds", "How late the event loop's timers were.", bounds: LoopLag.bounds,
            lag.cumulativeCounts, lag.count, lag.sum)
    }

    /// - Parameter cumulative: for each bound how many were at most as long.
    private static func histogram(
        _ name: String, _ help: String, bounds: [Double], _ cumulative: [UInt64], _ count: UInt64, _ sum: Duration
    ) -> MetricFamily {
        var samples = zip(bounds, cumulative).map {
            MetricSample(Double($1), [MetricLabel("le", "\($0)")], suffix: "_bucket")
        }
        samples.append(MetricSample(Double(count), [MetricLabel("le", "+Inf")], suffix: "_bucket"))
        samples.append(MetricSample(sum.inSeconds, suffix: "_sum"))
        samples.append(MetricSample(Double(count), suffix: "_count"))
        return MetricFamily(name: name, help: help, kind: .histogram, samples: samples)
    }
}

extension Duration {
    fileprivate var inSeconds: Double { Double(self.components.seconds) + Double(self.components.attoseconds) / 1e18 }
}

extension HostControlAdapter {
    private var safetyMetrics: [MetricFamily] {
        let figures = self.runner.safetyFigures
        return [
            MetricFamily(
                "pawl_safety_sweeps_total", "Sweeps that this host has done for all.", .counter, Double(figures.sweeps)),
            MetricFamily(
                "pawl_safety_stale_ended_total", "Stale runs ended or requeued by sweeps of this host.", .counter,
                Double(figures.staleEnded)),
            MetricFamily(
                name: "pawl_safety_orphans_cleaned_total", help: "Orphans put right by sweeps of this host, by kind.",
                kind: .counter,
                samples: OrphanKind.allCases.map {
                    MetricSample(Double(figures.orphansCleaned[$0] ?? 0), [MetricLabel("kind", $0.rawValue)])
                }),
            MetricFamily(
                name: "pawl_emergency", help: "1 while it stands, as of the last second.", kind: .gauge,
                samples: EmergencyMode.allCases.map {
                    MetricSample(self.store.emergency[$0] == nil ? 0 : 1, [MetricLabel("mode", $0.rawValue)])
                }),
        ]
    }
}
