//! The recipes of `docs/interop.md`, as they stand there.

use std::collections::HashMap;

use leveret::{Fault, Reply, Request, ShortStr};
use leveret_codec::queue::{Delete, DeleteOk};

use crate::peer::{Library, Recipe};
use crate::support::broker::{Broker, unique};
use crate::support::service::{client, queue, server};

const JSON: ShortStr = ShortStr::from_static("application/json");

const DOCUMENT: &str = include_str!("../../docs/interop.md");

#[tokio::test]
#[ignore = "needs Python and Node: cargo xtask test"]
async fn aio_pika() {
    the_recipe_works(Library::AioPika, "aio-pika").await;
}

#[tokio::test]
#[ignore = "needs Python and Node: cargo xtask test"]
async fn faststream() {
    the_recipe_works(Library::FastStream, "FastStream").await;
}

#[tokio::test]
#[ignore = "needs Python and Node: cargo xtask test"]
async fn propan() {
    the_recipe_works(Library::Propan, "Propan").await;
}

#[tokio::test]
#[ignore = "needs Python and Node: cargo xtask test"]
async fn pika() {
    the_recipe_works(Library::Pika, "pika").await;
}

#[tokio::test]
#[ignore = "needs Python and Node: cargo xtask test"]
async fn amqplib() {
    the_recipe_works(Library::Amqplib, "amqplib").await;
}

/// Both programs of a library are under its heading, and each works with Leveret.
async fn the_recipe_works(library: Library, heading: &str) {
    let programs = programs(heading);

    let (name, queue) = queue("recipe");
    let server = server().handle(queue, add).start().await.unwrap();
    let said = Recipe::run(library, &on(&name, programs["client"])).end().await;
    let last = said.last().map(String::as_str);
    assert!(last.is_some_and(|line| line.contains("sum") && line.contains("42")), "{said:?}");
    server.shutdown().await.unwrap();

    let name = unique("recipe").to_string();
    let mut recipe = Recipe::run(library, &on(&name, programs["server"]));
    recipe.says("serving").await;
    let client = client().await;
    let request = client.request(&name).body(r#"{"a": 20, "b": 22}"#);
    let reply = request.content_type("application/json").send().await.unwrap();
    assert_eq!(reply.text().unwrap().replace(' ', ""), r#"{"sum":42}"#);
    assert_eq!(reply.properties.content_type, Some(JSON));
    client.close().await;
    match library {
        // It has one thread: a signal may come in the middle of a frame. But when its last consumer is
        // gone, it ends.
        Library::Pika => {
            delete(name).await;
            recipe.end().await;
        }
        _ => {
            recipe.interrupt().await;
            delete(name).await;
        }
    }
}

async fn delete(queue: String) {
    let mut wire = Broker::shared().await.channel().await;
    let delete = Delete { queue: ShortStr::new(queue).unwrap(), ..Delete::default() };
    wire.call::<DeleteOk>(1, delete).await;
    wire.close().await;
}

async fn add(request: Request) -> Result<Reply, Fault> {
    assert_eq!(request.properties.content_type, Some(JSON));
    let digits = request.text()?.split(|character: char| !character.is_ascii_digit());
    let sum: u32 = digits.filter_map(|number| number.parse::<u32>().ok()).sum();
    Ok(Reply::new(format!("{{\"sum\": {sum}}}")).content_type("application/json"))
}

/// What stands in fences under a heading, by the comment that each program begins with.
fn programs(heading: &str) -> HashMap<&'static str, &'static str> {
    let heading = format!("\n## {heading}\n");
    let (_, section) = DOCUMENT.split_once(&heading).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let blocks = section.split("\n```").skip(1).step_by(2);
    let programs = blocks.map(|block| block.split_once('\n').unwrap().1);
    programs.map(|program| (role(program), program)).collect()
}

fn role(program: &'static str) -> &'static str {
    program.lines().next().unwrap().trim_start_matches(['#', '/', ' '])
}

/// The program on a queue of its own.
fn on(queue: &str, program: &str) -> String {
    assert!(program.contains("\"add\""), "{program}");
    program.replace("\"add\"", &format!("\"{queue}\""))
}
