//! @SOURCE@ - the handler @HANDLER@. pawl.rs has all that a handler may do.
#[macro_use]
mod pawl;

use pawl::{Attempt, Ending, Level, Outcome};

/// Greets `times` times, one step at a time.
fn greet(attempt: &Attempt) -> Outcome {
    attempt.only_args(&["name", "times"])?;
    let name = attempt.arg_str("name")?.unwrap_or_else(|| "world".to_string()); // what an absent member means
    let times = attempt.arg_int("times", 1..=1000)?.unwrap_or(1);

    attempt.stage("Greeting");
    attempt.total(times as u64, "greetings");
    for number in 1..=times {
        attempt.check_cancelled()?;
        attempt.log_with(Level::Info, &format!("hello {name}"), &format!("{{\"number\":{number}}}"));
        attempt.advance(1);
    }
    Ok(Ending::Json(format!("{{\"greetings\":{times}}}")))
}

plugin!("@PLUGIN@", "1.0.0", [{
    name: "@HANDLER@",
    description: "Greets somebody as often as asked.",
    args_schema: r#"{"type":"object","properties":{"name":{"type":"string"},
        "times":{"type":"integer","minimum":1,"maximum":1000}},"additionalProperties":false}"#,
    run: greet,
}]);
