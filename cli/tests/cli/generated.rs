//! `completions`, `man` and `--help`.

use crate::support::leveret;

#[tokio::test]
async fn each_shell_has_its_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = leveret(&["completions", shell]).run().await;
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        for word in ["own-channel", "connect-timeout", "prefetch"] {
            assert!(ended.stdout.contains(word), "{shell} has no {word}");
        }
    }
    leveret(&["completions", "dos"]).run().await.failed(2, "'dos'");
}

#[tokio::test]
async fn bash_takes_its_completions() {
    let script = leveret(&["completions", "bash"]).run().await.stdout;
    let bash = std::process::Command::new("bash").args(["-n", "-c", &script]).output().unwrap();
    assert!(bash.status.success() && bash.stderr.is_empty(), "{bash:?}");
}

#[tokio::test]
async fn the_manual_is_printed_or_written_page_by_page() {
    let page = leveret(&["man"]).run().await;
    assert_eq!((page.code, page.stderr.as_str()), (Some(0), ""));
    assert!(page.stdout.contains(".TH leveret") && page.stdout.contains("Exit codes"));

    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("man1");
    let written = leveret(&["man", "--output", pages.to_str().unwrap()]).run().await;
    written.printed("");
    for name in ["leveret.1", "leveret-call.1", "leveret-serve.1", "leveret-ping.1"] {
        let page = std::fs::read_to_string(pages.join(name)).unwrap();
        assert!(page.contains(".TH"), "{name}: {page}");
    }
    let nowhere = leveret(&["man", "--output", "/dev/null/man1"]).run().await;
    nowhere.failed(1, "cannot write to /dev/null/man1");
}

#[tokio::test]
async fn the_help_has_exit_codes_and_variables() {
    for arguments in [&["--help"][..], &["call", "--help"], &["ping", "-h"], &["serve", "--help"]] {
        let help = leveret(arguments).run().await;
        assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
        assert!(help.stdout.contains("130  interrupted"), "{}", help.stdout);
    }
    let help = leveret(&["serve", "--help"]).run().await.stdout;
    assert!(help.contains("LEVERET_HEADER_<NAME>") && help.contains("LEVERET_TIME_LEFT_MS"));
    let version = leveret(&["--version"]).run().await;
    version.printed(&format!("leveret {}\n", env!("CARGO_PKG_VERSION")));
}
