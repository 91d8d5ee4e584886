//! plugin.rs - a plugin as one was written with the first pawl.rs. Never edited.
#[macro_use]
mod pawl;

use pawl::{json_string, Attempt, Ending, Failure, Level, Outcome};

/// Greets `times` times, one step at a time.
fn hello(attempt: &Attempt) -> Outcome {
    attempt.only_args(&["name", "times"])?;
    let name = attempt.arg_str("name")?.unwrap_or_else(|| "world".to_string());
    let times = attempt.arg_int("times", 1..=1_000_000)?.unwrap_or(1);
    if name.is_empty() {
        return Err(Failure::invalid_input("/name", "must not be empty"));
    }

    attempt.stage("greeting");
    attempt.total(times as u64, "greetings");
    for _ in 0..times {
        attempt.check_cancelled()?;
        attempt.log_with(Level::Info, "hello", &format!("{{\"name\":{}}}", json_string(&name)));
        attempt.advance(1);
    }
    Ok(Ending::Json(format!("{{\"greetings\":{times}}}")))
}

plugin!("old-rust", "1.0.0", [{
    name: "old.rust",
    description: "Greets somebody as often as asked.",
    args_schema: r#"{"type":"object","properties":{"name":{"type":"string","minLength":1},
        "times":{"type":"integer","minimum":1,"maximum":1000000}},"additionalProperties":false}"#,
    run: hello,
}]);
