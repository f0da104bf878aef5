//! From a file to the octets that it is about: as they are, or out of hex in one of its usual forms.

/// What could be read, and why no more.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Octets {
    pub(super) octets: Vec<u8>,
    pub(super) problem: Option<String>,
}

/// How a line of hex is made up.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// `0102 03`, `01:02:03`, `0x01, 0x02`: as `xxd -p` and packet analysers have it.
    Plain,
    /// `00000000: 0102 0300  ....`
    Xxd,
    /// `00000000  01 02 03 00  |....|`
    Hexdump,
}

/// AMQP begins with an octet that no hex has, so there is never a choice to make.
pub(super) fn octets(file: Vec<u8>) -> Octets {
    let is_amqp = matches!(file.first(), Some(1 | 2 | 3 | 8)) || file.starts_with(b"AMQP");
    match std::str::from_utf8(&file)
        .ok()
        .filter(|_| !is_amqp)
        .and_then(|text| Some((text, form(text)?)))
    {
        Some((text, form)) => from_hex(text, form),
        None => Octets { octets: file, problem: None },
    }
}

/// That of the first line that is not empty, if it is hex.
fn form(text: &str) -> Option<Form> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    let forms = [Form::Xxd, Form::Hexdump, Form::Plain];
    forms.into_iter().find(|form| match form {
        Form::Plain => plain(line).is_some(),
        Form::Xxd => row(line, Form::Xxd).is_some(),
        Form::Hexdump => line.contains('|') && row(line, Form::Hexdump).is_some(),
    })
}

fn from_hex(text: &str, form: Form) -> Octets {
    match form {
        Form::Plain => from_plain(text),
        form => from_rows(text, form),
    }
}

fn from_plain(text: &str) -> Octets {
    let mut digits = Vec::new();
    let mut problem = None;
    for (line, number) in text.lines().zip(1..) {
        match plain(line) {
            Some(more) => digits.extend(more),
            None => {
                problem = Some(format!("line {number} is no hex"));
                break;
            }
        }
    }
    let (pairs, half) = digits.as_chunks::<2>();
    if !half.is_empty() && problem.is_none() {
        problem = Some("the last octet has only one hex digit".into());
    }
    let octets = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    Octets { octets, problem }
}

/// The digits of a line, if there is nothing else in it.
fn plain(line: &str) -> Option<Vec<u8>> {
    let words = line.split(|c: char| c.is_ascii_whitespace() || c == ',' || c == ':');
    let mut digits = Vec::new();
    for word in words {
        let word = word.strip_prefix("0x").or(word.strip_prefix("0X")).unwrap_or(word);
        for digit in word.chars() {
            digits.push(u8::try_from(digit.to_digit(16)?).ok()?);
        }
    }
    Some(digits)
}

fn from_rows(text: &str, form: Form) -> Octets {
    let mut octets = Vec::new();
    // Where the first row begins, which need not be at 0.
    let mut first = None;
    let (mut last, mut repeats) = (Vec::new(), false);
    for (line, number) in text.lines().map(str::trim_end).zip(1..) {
        let stop =
            |octets, problem| Octets { octets, problem: Some(format!("line {number} {problem}")) };
        match line.trim_start() {
            "" => continue,
            // As many rows like the last one as there is room for.
            "*" => {
                repeats = true;
                continue;
            }
            _ => {}
        }
        let Some((offset, row)) = row(line, form) else {
            return stop(octets, "is no row of a hex dump");
        };
        let due = offset.checked_sub(*first.get_or_insert(offset));
        let Some(due) = due.filter(|due| *due >= octets.len()) else {
            return stop(octets, "comes again");
        };
        let missing = due - octets.len();
        if missing > 0
            && (!repeats || last.is_empty() || missing % last.len() != 0 || missing > MOST)
        {
            return stop(octets, "does not follow on the row before it");
        }
        octets.extend(last.iter().cycle().take(missing));
        octets.extend_from_slice(&row);
        (last, repeats) = (row, false);
    }
    Octets { octets, problem: None }
}

/// The most octets that a `*` stands for: a few characters are not to fill the memory.
const MOST: usize = 1 << 28;

/// Offset and octets of a row.
fn row(line: &str, form: Form) -> Option<(usize, Vec<u8>)> {
    let line = line.trim();
    let (offset, rest) = match form {
        Form::Xxd => line.split_once(':')?,
        // The last row has an offset alone.
        _ => line.split_once("  ").unwrap_or((line, "")),
    };
    if offset.len() < 7 || !offset.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let data = match form {
        Form::Xxd => rest.strip_prefix(' ')?.split("  ").next()?,
        _ => rest.split('|').next()?,
    };
    let digits = plain(data)?;
    let (pairs, half) = digits.as_chunks::<2>();
    let octets = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    half.is_empty().then_some((usize::from_str_radix(offset, 16).ok()?, octets))
}
