//! ways.rs - a plugin that uses every part of the Rust bindings. For tests.
#[macro_use]
#[path = "../../examples/hello-rust/pawl.rs"]
mod pawl;

use pawl::{json_string, Attempt, Ending, Failure, Level, Outcome};
use std::time::{Duration, SystemTime};

fn echo(attempt: &Attempt) -> Outcome {
    attempt.only_args(&["text", "int", "real", "flag", "list", "any"])?;
    attempt.log(Level::Warning, "plain");
    attempt.log_with(Level::Error, "with", "{\"n\":1}");
    let show = |value: Option<String>| value.unwrap_or_else(|| "null".to_string());
    Ok(Ending::Json(format!(
        r#"{{"text":{},"int":{},"real":{},"flag":{},"list":{},"any":{},"whole":{},"id":{},"job":{},"number":{}}}"#,
        show(attempt.arg_str("text")?.map(|text| json_string(&text))),
        show(attempt.arg_int("int", -5..=5)?.map(|value| value.to_string())),
        show(attempt.arg_f64("real")?.map(|value| value.to_string())),
        show(attempt.arg_bool("flag")?.map(|value| value.to_string())),
        show(attempt.arg_strs("list")?.map(|list| {
            format!("[{}]", list.iter().map(|text| json_string(text)).collect::<Vec<_>>().join(","))
        })),
        show(attempt.arg_json("any")?),
        attempt.json,
        json_string(&attempt.run_id()),
        json_string(&attempt.job_name()),
        attempt.number(),
    )))
}

fn spin(attempt: &Attempt) -> Outcome {
    attempt.stage("spinning");
    loop {
        attempt.check_cancelled()?;
        attempt.advance(1);
    }
}

fn progress(attempt: &Attempt) -> Outcome {
    attempt.stage("Adding");
    attempt.total(3, "numbers");
    attempt.message("m");
    attempt.count("errors", 2);
    attempt.advance(3);
    Ok(Ending::Nothing)
}

fn ends(attempt: &Attempt) -> Outcome {
    match attempt.arg_str("how")?.unwrap_or_default().as_str() {
        "panic" => panic!("it {} over", "fell"),
        "index" => Ok(Ending::Json(attempt.json.as_bytes()[attempt.json.len()].to_string())),
        "io" => Ok(Ending::Json(std::fs::read_to_string("/nowhere")?)),
        "never" => Err(Failure::new("gone", "for good").retry_never()),
        "after" => Err(Failure::new("http_503", "busy").retry_after(Duration::from_secs(30)).details("{\"a\":1}")),
        "invalid" => Err(Failure::invalid_input("/how", "must be better")),
        "snooze" => Ok(Ending::Snooze(SystemTime::now() + Duration::from_secs(60))),
        "bytes" => Ok(Ending::Bytes(vec![1, 0, 255], "image/png")),
        "broken" => Ok(Ending::Json("{".to_string())),
        "thread" => {
            std::thread::scope(|scope| scope.spawn(|| attempt.advance(1)).join()).map_err(|_| Failure::new("thread", ""))?;
            Ok(Ending::Nothing)
        }
        _ => Ok(Ending::Nothing),
    }
}

plugin!("ways-rust", "1.0.0", [
    { name: "ways.echo", description: "Gives its args back.", args_schema: "{\"type\":\"object\"}", run: echo },
    { name: "ways.spin", description: "Spins.", args_schema: "{}", run: spin },
    { name: "ways.progress", description: "Says how far it is.", args_schema: "{}", run: progress },
    { name: "ways.ends", description: "Ends in many ways.", args_schema: "{}", run: ends },
]);
