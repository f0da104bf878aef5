use std::convert::Infallible;

use super::*;

/// What is wrong with the links of a repository of these files.
fn broken<const N: usize>(files: [(&str, &str); N]) -> Vec<String> {
    let paths = files.map(|(path, _)| PathBuf::from(path));
    let texts = BTreeMap::from(files.map(|(path, text)| (PathBuf::from(path), text)));
    let read = |path: &Path| Ok::<_, Infallible>(texts[path].to_owned());
    Repository::new(paths, read).unwrap().broken()
}

#[test]
fn links_to_files_directories_and_headings_lead_somewhere() {
    let readme =
        "[a](docs/a.md) [b](docs/) [c](docs/a.md#two-words) [d](#here) ![e](e.svg)\n\n# Here";
    let a = "# Two words\n\n[up](../README.md) [root](..) [beside](./b.txt) [own](#two-words)";
    let files = [("README.md", readme), ("docs/a.md", a), ("docs/b.txt", ""), ("e.svg", "")];
    assert_eq!(broken(files), Vec::<String>::new());
}

#[test]
fn a_file_that_is_not_there_is_told_with_its_place() {
    let text = "first\n\n| a table |\n| --- |\n| [text](docs/missing.md) |\n";
    assert_eq!(
        broken([("README.md", text)]),
        ["README.md:5: docs/missing.md: there is no docs/missing.md in the repository"]
    );
}

#[test]
fn a_picture_that_is_not_there_is_told() {
    assert_eq!(
        broken([("a/b.md", "![plot](plot.svg)")]),
        ["a/b.md:1: plot.svg: there is no a/plot.svg in the repository"]
    );
}

#[test]
fn a_heading_that_is_not_there_is_told() {
    let files =
        [("a.md", "[x](b.md#two) [y](#three) [z](c.txt#L1)"), ("b.md", "# One"), ("c.txt", "")];
    assert_eq!(
        broken(files),
        [
            "a.md:1: b.md#two: b.md has no such heading",
            "a.md:1: #three: a.md has no such heading",
            "a.md:1: c.txt#L1: c.txt is no Markdown",
        ]
    );
}

#[test]
fn a_reference_without_a_definition_is_told_and_brackets_alone_are_not() {
    assert_eq!(
        broken([("a.md", "[good][here] [text][nowhere] [u8]\n\n[here]: a.md\n")]),
        ["a.md:1: nowhere: there is no link of that name"]
    );
    assert_eq!(broken([("a.md", "[text][here]\n\n[here]: b.md\n")]).len(), 1);
}

#[test]
fn what_lies_outside_of_the_repository_is_told() {
    assert_eq!(
        broken([("docs/a.md", "[x](../../b.md) [y](/b.md)")]),
        [
            "docs/a.md:1: ../../b.md: it leads out of the repository",
            "docs/a.md:1: /b.md: it leads out of the repository",
        ]
    );
}

#[test]
fn other_hosts_are_not_asked() {
    let text = "[x](https://example.org/a#b) <https://example.org> [y](mailto:a@example.org)";
    assert_eq!(broken([("a.md", text)]), Vec::<String>::new());
}

#[test]
fn links_in_code_are_none() {
    let text = "`[x](missing.md)`\n\n```md\n[y](missing.md)\n```\n";
    assert_eq!(broken([("a.md", text)]), Vec::<String>::new());
}

#[test]
fn headings_are_called_as_github_calls_them() {
    let document = Document::new(
        "# `Client`, and *what* it does!\n\n## Again\n\n## Again\n\nUnderlined\n---\n\n## x_y-z & é",
    );
    let anchors = document.anchors.iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(anchors, ["again", "again-1", "client-and-what-it-does", "underlined", "x_y-z--é"]);
}
