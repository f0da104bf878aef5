//! Whether the links in the repository's Markdown lead anywhere.
//!
//! A link may lead to a file of the repository, to a directory of it, or to a heading in its Markdown.
//! What is on other hosts is not asked for, since that would fail with them. HTML is not looked into.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::{Component, Path, PathBuf},
    process::Command,
};

use pulldown_cmark::{BrokenLink, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd};

use crate::{Result, process, workspace};

pub(crate) fn run() -> Result {
    let repository = Repository::new(files()?, |path| fs::read_to_string(workspace().join(path)))?;
    let broken = repository.broken();
    for link in &broken {
        eprintln!("{link}");
    }
    let (links, documents) = (repository.links(), repository.documents.len());
    if broken.is_empty() {
        println!("{links} links in {documents} Markdown files lead somewhere");
        return Ok(());
    }
    Err(format!("{} of {links} links in {documents} Markdown files are broken", broken.len())
        .into())
}

/// What is in the repository, or is to be: a link to anything else would be good on this machine only.
fn files() -> Result<Vec<PathBuf>> {
    let mut list = Command::new("git");
    list.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listed = process::output(list.current_dir(workspace()))?;
    let paths = listed.split_terminator('\0').map(PathBuf::from);
    // Git lists what was deleted until that is committed.
    Ok(paths.filter(|path| workspace().join(path).exists()).collect())
}

struct Repository {
    /// Files, and the directories that they are in.
    paths: BTreeSet<PathBuf>,
    documents: BTreeMap<PathBuf, Document>,
}

impl Repository {
    fn new<E>(
        files: impl IntoIterator<Item = PathBuf>,
        read: impl Fn(&Path) -> std::result::Result<String, E>,
    ) -> std::result::Result<Self, E> {
        let (mut paths, mut documents) = (BTreeSet::new(), BTreeMap::new());
        for file in files {
            paths.extend(file.ancestors().map(Path::to_owned));
            if is_markdown(&file) {
                documents.insert(file.clone(), Document::new(&read(&file)?));
            }
        }
        Ok(Self { paths, documents })
    }

    fn links(&self) -> usize {
        self.documents.values().map(|document| document.links.len()).sum()
    }

    /// Where each broken link is, and what is wrong with it.
    fn broken(&self) -> Vec<String> {
        let links = self.documents.iter().flat_map(|(path, document)| {
            document.links.iter().map(move |link| (path.as_path(), link))
        });
        links
            .filter_map(|(path, link)| {
                let problem = self.problem(path, link)?;
                Some(format!("{}:{}: {}: {problem}", path.display(), link.line, link.target))
            })
            .collect()
    }

    fn problem(&self, from: &Path, link: &Link) -> Option<String> {
        if link.is_undefined {
            return Some("there is no link of that name".to_owned());
        }
        if is_elsewhere(&link.target) {
            return None;
        }
        let (path, anchor) = match link.target.split_once('#') {
            Some((path, anchor)) => (path, Some(anchor)),
            None => (&*link.target, None),
        };
        let Some(target) = resolve(from, path) else {
            return Some("it leads out of the repository".to_owned());
        };
        if !self.paths.contains(&target) {
            return Some(format!("there is no {} in the repository", target.display()));
        }
        let anchor = anchor?;
        match self.documents.get(&target) {
            Some(document) if document.anchors.contains(anchor) => None,
            Some(_) => Some(format!("{} has no such heading", target.display())),
            None => Some(format!("{} is no Markdown", target.display())),
        }
    }
}

/// What matters of a Markdown file.
#[derive(Default)]
struct Document {
    links: Vec<Link>,
    /// What its headings are called in links.
    anchors: BTreeSet<String>,
}

struct Link {
    line: usize,
    target: String,
    /// Whether it refers to a definition that is not there.
    is_undefined: bool,
}

impl Document {
    fn new(text: &str) -> Self {
        let line_at =
            |offset| text.bytes().take(offset).filter(|octet| *octet == b'\n').count() + 1;
        let mut document = Self::default();
        let mut undefined = Vec::new();
        let mut note = |link: BrokenLink<'_>| {
            // Brackets alone are most often just that.
            if link.link_type != LinkType::Shortcut {
                let line = line_at(link.span.start);
                undefined.push(Link { line, target: link.reference.into(), is_undefined: true });
            }
            None::<(CowStr<'_>, CowStr<'_>)>
        };
        let options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES;
        let parser = Parser::new_with_broken_link_callback(text, options, Some(&mut note));
        let mut slugs = Slugs::default();
        let mut heading = None::<String>;
        for (event, range) in parser.into_offset_iter() {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    document.anchors.extend(heading.take().map(|heading| slugs.slug(&heading)));
                }
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    let (line, target) = (line_at(range.start), dest_url.into());
                    document.links.push(Link { line, target, is_undefined: false });
                }
                _ => {}
            }
        }
        document.links.append(&mut undefined);
        document
    }
}

/// Makes anchors of headings as GitHub does.
#[derive(Default)]
struct Slugs {
    uses: HashMap<String, usize>,
}

impl Slugs {
    /// Letters, digits, hyphens and underscores remain, and what was there before gets a number.
    fn slug(&mut self, heading: &str) -> String {
        let slug = heading
            .to_lowercase()
            .chars()
            .filter(|char| char.is_alphanumeric() || [' ', '-', '_'].contains(char))
            .map(|char| if char == ' ' { '-' } else { char })
            .collect::<String>();
        let uses = self.uses.entry(slug.clone()).or_default();
        *uses += 1;
        if *uses == 1 { slug } else { format!("{slug}-{}", *uses - 1) }
    }
}

fn is_markdown(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

/// Whether it begins with a scheme, such as `https:`.
fn is_elsewhere(target: &str) -> bool {
    target.split_once(':').is_some_and(|(scheme, _)| {
        !scheme.is_empty() && scheme.chars().all(|char| char.is_ascii_alphanumeric())
    })
}

/// The path from the repository's root to what a relative one leads to.
fn resolve(from: &Path, path: &str) -> Option<PathBuf> {
    if path.is_empty() {
        return Some(from.to_owned());
    }
    let mut resolved = from.parent()?.to_owned();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => resolved.push(name),
            Component::CurDir => {}
            Component::ParentDir => resolved.pop().then_some(())?,
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(resolved)
}

#[cfg(test)]
mod tests;
