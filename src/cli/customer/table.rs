//! Reads a CRM's table line by line: what it says of a person, and what it says that cannot be right.

use std::io::Read;

use super::report::{Finding, Kind};
use crate::domain::crm::{self, CrmRecord, Field};

/// The column that names a person; the others are the fields of a CRM.
const EXTERNAL_ID: &str = "external_id";
/// Longest value of a cell that is taken.
const VALUE_CHARS_MAX: usize = 200;
/// Most tags of one person.
const TAGS_MAX: usize = 50;
/// Longest mail address (RFC 5321, 4.5.3.1.3).
const EMAIL_CHARS_MAX: usize = 254;
/// Digits of an international number, least and most (E.164).
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// A line that names a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) external_id: String,
    pub(super) said: CrmRecord,
    /// Cells that were left out.
    pub(super) malformed: Vec<Finding>,
}

/// A table under reading.
pub(super) struct Table<R> {
    reader: csv::Reader<R>,
    columns: Vec<Column>,
    record: csv::ByteRecord,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    ExternalId,
    Field(Field),
}

impl<R: Read> Table<R> {
    /// Reads the header; the error says what is wrong with it.
    pub(super) fn open(input: R) -> Result<Self, String> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(input);
        let header = reader.byte_headers().map_err(|error| format!("the file cannot be read: {error}"))?;
        let mut columns = Vec::new();
        for cell in header {
            let name = String::from_utf8_lossy(cell);
            let name = name.trim_start_matches('\u{feff}').trim().to_ascii_lowercase();
            let column = if name == EXTERNAL_ID {
                Column::ExternalId
            } else {
                let field = Field::ALL.into_iter().find(|field| field.as_str() == name);
                Column::Field(
                    field.ok_or_else(|| format!("the column `{name}` is not known; {}", expected()))?,
                )
            };
            if columns.contains(&column) {
                return Err(format!("the column `{name}` is there twice; leave one out"));
            }
            columns.push(column);
        }
        if !columns.contains(&Column::ExternalId) {
            return Err(format!("the header has no column `{EXTERNAL_ID}`; {}", expected()));
        }
        Ok(Self { reader, columns, record: csv::ByteRecord::new() })
    }

    /// How far the file is read, in bytes.
    pub(super) fn position(&self) -> u64 {
        self.reader.position().byte()
    }

    /// The next line; none at the end. A line that cannot be taken is a finding.
    pub(super) fn next(&mut self) -> Option<Result<Row, Finding>> {
        let here = self.reader.position().line();
        match self.reader.read_byte_record(&mut self.record) {
            Ok(false) => None,
            Ok(true) => {
                let line = self.record.position().map_or(here, csv::Position::line);
                Some(row(&self.columns, &self.record, line))
            }
            Err(error) => Some(Err(Finding::bad_line(here, format!("it cannot be read: {error}")))),
        }
    }
}

fn expected() -> String {
    let fields: Vec<&str> = Field::ALL.into_iter().map(Field::as_str).collect();
    format!("write `{EXTERNAL_ID}` and any of {}", fields.join(", "))
}

fn row(columns: &[Column], record: &csv::ByteRecord, line: u64) -> Result<Row, Finding> {
    let bad = |message: String| Finding::bad_line(line, message);
    if record.len() != columns.len() {
        let (found, wanted) = (record.len(), columns.len());
        return Err(bad(format!(
            "it has {found} cells and the header {wanted}; quote cells that hold a comma"
        )));
    }
    let mut row = Row { line, external_id: String::new(), said: CrmRecord::default(), malformed: Vec::new() };
    let mut cells = Vec::new();
    for (column, cell) in columns.iter().zip(record) {
        let text = std::str::from_utf8(cell)
            .map_err(|_| bad("it is not UTF-8; save the file as UTF-8".to_owned()))?;
        match column {
            Column::ExternalId => text.trim().clone_into(&mut row.external_id),
            Column::Field(field) => cells.push((*field, text.trim())),
        }
    }
    if row.external_id.is_empty() {
        return Err(bad(format!("`{EXTERNAL_ID}` is empty, so nobody could say next time who this is")));
    }
    if let Err(why) = plain(&row.external_id) {
        return Err(bad(format!("`{EXTERNAL_ID}` {why}")));
    }
    for (field, text) in cells.into_iter().filter(|(_, text)| !text.is_empty()) {
        if let Err(why) = fill(&mut row.said, field, text) {
            row.malformed.push(Finding {
                line,
                external_id: Some(row.external_id.clone()),
                kind: Kind::Malformed,
                field: Some(field.as_str()),
                other: None,
                message: format!("{why}; the rest of the line is taken"),
            });
        }
    }
    Ok(row)
}

fn fill(said: &mut CrmRecord, field: Field, text: &str) -> Result<(), String> {
    plain(text)?;
    let place = match field {
        Field::Name => &mut said.name,
        Field::Email => &mut said.email,
        Field::Phone => &mut said.phone,
        Field::Language => &mut said.language,
        Field::Tier => &mut said.tier,
        Field::Owner => &mut said.owner,
        Field::Tags => {
            let mut tags: Vec<String> = Vec::new();
            for tag in text.split([';', ',', '|']).map(str::trim).filter(|tag| !tag.is_empty()) {
                if !tags.iter().any(|known| known == tag) {
                    tags.push(tag.to_owned());
                }
            }
            if tags.len() > TAGS_MAX {
                return Err(format!("has {} tags; write at most {TAGS_MAX}", tags.len()));
            }
            said.tags = Some(tags);
            return Ok(());
        }
    };
    *place = Some(match field {
        Field::Email => email(text)?,
        Field::Phone => phone(text)?,
        Field::Language => language(text)?,
        Field::Name | Field::Tier | Field::Owner | Field::Tags => text.to_owned(),
    });
    Ok(())
}

fn plain(text: &str) -> Result<(), String> {
    crm::plain(text, VALUE_CHARS_MAX)
}

fn email(text: &str) -> Result<String, String> {
    let wrong = || "is no mail address like ann@example.com".to_owned();
    let (local, domain) = text.split_once('@').ok_or_else(wrong)?;
    let visible = |text: &str| {
        !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || "@<>,;\"()".contains(c))
    };
    let labels = domain.split('.').count() > 1 && domain.split('.').all(|label| !label.is_empty());
    if !visible(local) || !visible(domain) || !labels || text.chars().count() > EMAIL_CHARS_MAX {
        return Err(wrong());
    }
    Ok(text.to_owned())
}

/// E.164, only where the number says its country: a national number is not guessed at.
fn phone(text: &str) -> Result<String, String> {
    let bare: String = text.chars().filter(|c| !c.is_whitespace() && !"-./()".contains(*c)).collect();
    let digits = bare.strip_prefix('+').or_else(|| bare.strip_prefix("00"));
    let digits = digits.ok_or("does not say its country; write it with + or 00 and the country's code")?;
    let sound = PHONE_DIGITS.contains(&digits.len())
        && digits.bytes().all(|digit| digit.is_ascii_digit())
        && !digits.starts_with('0');
    if sound { Ok(format!("+{digits}")) } else { Err("is no phone number like +49 30 1234567".to_owned()) }
}

fn language(text: &str) -> Result<String, String> {
    let code = text.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    if code.len() == 2 && code.bytes().all(|letter| letter.is_ascii_lowercase()) {
        Ok(code)
    } else {
        Err("is no language code like en (ISO 639-1)".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Vec<Result<Row, Finding>> {
        let mut table = Table::open(text).unwrap();
        std::iter::from_fn(|| table.next()).collect()
    }

    #[test]
    fn columns_come_in_any_order_after_a_byte_order_mark() {
        let rows = read(
            "\u{feff}Tags,external_id,phone,email\r\n\"vip; eu;vip\",u1,0049 (30) 123-4567,a@b.example\n"
                .as_bytes(),
        );
        let row = rows[0].as_ref().unwrap();
        assert_eq!((row.line, row.external_id.as_str()), (2, "u1"));
        assert_eq!(row.said.phone.as_deref(), Some("+49301234567"));
        assert_eq!(row.said.tags.as_deref(), Some(&["vip".to_owned(), "eu".to_owned()][..]));
        assert_eq!((row.said.name.as_deref(), row.malformed.len()), (None, 0));
    }

    #[test]
    fn a_header_that_cannot_be_meant_says_what_could() {
        for (header, says) in [
            ("name,email\n", "no column `external_id`"),
            ("external_id,e-mail\n", "`e-mail` is not known; write `external_id` and any of name, email"),
            ("external_id,name,name\n", "there twice"),
            ("", "is not known"),
        ] {
            let error = Table::open(header.as_bytes()).err().unwrap();
            assert!(error.contains(says) || error.contains("no column"), "{header}: {error}");
        }
    }

    #[test]
    fn a_bad_line_is_told_by_its_number_and_the_next_one_is_read() {
        let rows = read(b"external_id,name\nu1,Ann\nu2\n,Bob\nu3,\xff\n\"u4\",\"two\nlines\"\nu5,Eve\n");
        let told: Vec<(u64, bool)> = rows
            .iter()
            .map(|row| row.as_ref().map_or_else(|bad| (bad.line, false), |row| (row.line, true)))
            .collect();
        assert_eq!(told, [(2, true), (3, false), (4, false), (5, false), (6, true), (8, true)]);
        assert_eq!(rows[4].as_ref().unwrap().malformed[0].field, Some("name"), "a line break in a name");
    }

    #[test]
    fn cells_that_cannot_be_right_are_left_out_and_told() {
        for (value, sound) in [
            ("+4930123456", true),
            ("0049 30 123456", true),
            ("030 123456", false),
            ("+49", false),
            ("+0123456789", false),
            ("+49 30 12x4567", false),
            ("00", false),
            ("+1234567890123456", false),
        ] {
            assert_eq!(phone(value).is_ok(), sound, "{value}");
        }
        for (value, sound) in [
            ("ann+news@mail.example.com", true),
            ("ann", false),
            ("ann@", false),
            ("@b.example", false),
            ("a@b@c.example", false),
            ("a@localhost", false),
            ("a b@c.example", false),
            ("Ann <a@b.example>", false),
            ("a@b..example", false),
        ] {
            assert_eq!(email(value).is_ok(), sound, "{value}");
        }
        assert_eq!(language("pt-BR").as_deref(), Ok("pt"));
        assert!(language("english").is_err() && language("").is_err());
    }
}
