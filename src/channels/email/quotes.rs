//! What somebody wrote in a reply, without what they quoted and without their signature, in seven languages.
//!
//! Mail programs mark a quotation with `>`, with a line like "On … Ann wrote:", with "-----Original Message-----", or with
//! the header of the quoted mail. Answers between quoted lines stay; a mail that is nothing but a forwarded one stays
//! whole.

/// What the line above a quotation says before its colon.
const WROTE: [&str; 11] = [
    "wrote",
    "writes",
    "schrieb",
    "geschrieben",
    "écrit",
    "escribió",
    "ha scritto",
    "scrive",
    "escreveu",
    "schreef",
    "skrev",
];
/// How such a line begins.
const ON: [&str; 12] =
    ["on ", "am ", "le ", "el ", "il ", "il giorno ", "em ", "a ", "op ", "von:", "de:", "\u{200e}on "];
/// A line that announces the whole mail that was answered.
const ORIGINAL: [&str; 9] = [
    "original message",
    "ursprüngliche nachricht",
    "originalnachricht",
    "message d'origine",
    "mensaje original",
    "messaggio originale",
    "mensagem original",
    "oorspronkelijk bericht",
    "message original",
];
/// A line that announces a mail that was passed on: its words are what the writer wants to be read.
const FORWARDED: [&str; 9] = [
    "forwarded message",
    "weitergeleitete nachricht",
    "message transféré",
    "mensaje reenviado",
    "messaggio inoltrato",
    "mensagem encaminhada",
    "doorgestuurd bericht",
    "begin forwarded message",
    "anfang der weitergeleiteten",
];
/// The header of a quoted mail: who wrote it …
const FROM: [&str; 5] = ["from:", "von:", "de :", "de:", "da:"];
const FROM_DUTCH: &str = "van:";
/// … and what stands within a few lines below that.
const SENT: [&str; 18] = [
    "sent:",
    "date:",
    "gesendet:",
    "datum:",
    "envoyé :",
    "envoyé:",
    "date :",
    "enviado:",
    "enviado el:",
    "fecha:",
    "inviato:",
    "data:",
    "enviada:",
    "enviada em:",
    "verzonden:",
    "to:",
    "an:",
    "à :",
];
/// What phones and mail programs write under a mail.
const DEVICE: [&str; 17] = [
    "sent from my ",
    "sent from outlook",
    "get outlook for ",
    "sent with ",
    "von meinem ",
    "gesendet von meinem ",
    "diese nachricht wurde von meinem",
    "envoyé de mon ",
    "envoyé depuis ",
    "enviado desde mi ",
    "enviado do meu ",
    "enviado a partir do",
    "inviato da ",
    "inviato dal mio ",
    "verzonden vanaf mijn ",
    "verstuurd vanaf mijn ",
    "holen sie sich outlook",
];
/// Lines below the first that are looked at for the rest of a quoted header, or of a folded "On … wrote:".
const AHEAD: usize = 4;
/// Longest line of any of these marks, in bytes.
const MARK_BYTES_MAX: usize = 400;

/// What the writer added; the whole text where that would be nothing.
pub(super) fn own_words(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let end = quotation_begins(&lines).unwrap_or(lines.len());
    let above = lines.get(..end).unwrap_or_default();
    let kept = without_quoted_lines(above);
    let kept = without_signature(&kept);
    let words = kept.join("\n").trim().to_owned();
    if words.is_empty() { text.trim().to_owned() } else { words }
}

/// The line from which on everything is somebody else's.
fn quotation_begins(lines: &[&str]) -> Option<usize> {
    (0..lines.len()).find(|at| {
        let line = lines.get(*at).copied().unwrap_or_default().trim();
        if line.is_empty() || line.len() > MARK_BYTES_MAX || line.starts_with('>') {
            return false;
        }
        let lower = line.trim_matches(|c: char| c == '*' || c == '_').to_lowercase();
        let bare = lower.trim_matches(|c: char| c == '-' || c == '_' || c.is_whitespace());
        let ruled = line.starts_with("--") || line.starts_with("__");
        if ruled && ORIGINAL.iter().any(|mark| bare.starts_with(mark)) {
            return true;
        }
        if FORWARDED.iter().any(|mark| bare.starts_with(mark)) {
            return false;
        }
        let after = lines.get(at + 1..).unwrap_or_default();
        (attribution(&lower, after) && !answers_below(after))
            || (header(&lower, after) && !forwarded_above(lines.get(..*at).unwrap_or_default()))
    })
}

/// "On … wrote:", on one line or folded over a few.
fn attribution(line: &str, after: &[&str]) -> bool {
    if !ON.iter().any(|mark| line.starts_with(mark)) && !line.ends_with(':') {
        return false;
    }
    let mut whole = line.to_owned();
    let mut next = after.iter().take(AHEAD);
    loop {
        let ends = whole.ends_with(':') && WROTE.iter().any(|mark| whole.contains(mark));
        // A name or an address, and when: words of the writer's own seldom have both.
        if ends && whole.contains(|c: char| c.is_ascii_digit() || c == '@') {
            return true;
        }
        match next.next() {
            Some(more)
                if !more.trim().is_empty() && whole.len() < MARK_BYTES_MAX && !more.starts_with('>') =>
            {
                whole.push(' ');
                whole.push_str(&more.trim().to_lowercase());
            }
            _ => return false,
        }
    }
}

/// Whether the writer answers between the quoted lines that follow.
fn answers_below(after: &[&str]) -> bool {
    let mut quoted = false;
    for line in after.iter().map(|line| line.trim()).filter(|line| !line.is_empty()) {
        if line.starts_with('>') {
            quoted = true;
        } else if quoted {
            return line != "--";
        } else {
            return false;
        }
    }
    false
}

/// The header of the quoted mail, as Outlook and many phones write it.
fn header(line: &str, after: &[&str]) -> bool {
    let begins = FROM.iter().any(|mark| line.starts_with(mark)) || line.starts_with(FROM_DUTCH);
    begins
        && after.iter().take(AHEAD).any(|next| {
            let next = next.trim().trim_matches('*').to_lowercase();
            SENT.iter().any(|mark| next.starts_with(mark))
        })
}

/// Whether the header belongs to a mail that was passed on.
fn forwarded_above(before: &[&str]) -> bool {
    before.iter().rev().take(AHEAD).any(|line| {
        let line = line.to_lowercase();
        FORWARDED
            .iter()
            .any(|mark| line.trim_matches(|c: char| c == '-' || c.is_whitespace()).starts_with(mark))
    })
}

fn without_quoted_lines<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let mut kept: Vec<&str> = Vec::with_capacity(lines.len());
    for (at, line) in lines.iter().enumerate() {
        if line.trim_start().starts_with('>') {
            continue;
        }
        // The line above quoted ones that stay out says only whose they are.
        let after = lines.get(at + 1..).unwrap_or_default();
        // How they are announced is asked first: what follows is read for few lines only.
        let whose = line.len() <= MARK_BYTES_MAX && attribution(&line.trim().to_lowercase(), after);
        if whose && answers_below(after) {
            continue;
        }
        kept.push(line);
    }
    kept
}

fn without_signature<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let mut end = lines.iter().position(|line| *line == "--" || *line == "—").unwrap_or(lines.len());
    // What a phone adds is the last line, or nearly.
    let device = |line: &str| {
        let line = line.trim().to_lowercase();
        line.len() <= 120 && DEVICE.iter().any(|mark| line.starts_with(mark))
    };
    while let Some(last) = end.checked_sub(1) {
        let line = lines.get(last).copied().unwrap_or_default();
        if !line.trim().is_empty() && !device(line) && !line.trim().chars().all(|c| c == '_') {
            break;
        }
        end = last;
    }
    lines.get(..end).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_what_was_added_in_all_seven_languages() {
        for quoted in [
            "On Mon, 23 Nov 2026 at 10:02, Shop <help@shop.example> wrote:\n> Hello",
            "On Mon, 23 Nov 2026 at 10:02, Shop Support\n<help@shop.example> wrote:\n\nHello",
            "Am 23.11.2026 um 10:02 schrieb Shop <help@shop.example>:\n> Hallo",
            "Le lun. 23 nov. 2026 à 10:02, Shop <help@shop.example> a écrit :\n> Bonjour",
            "El lun, 23 nov 2026 a las 10:02, Shop (<help@shop.example>) escribió:\n> Hola",
            "Il giorno lun 23 nov 2026 alle ore 10:02 Shop <help@shop.example> ha scritto:\n> Ciao",
            "Em seg., 23 de nov. de 2026 às 10:02, Shop <help@shop.example> escreveu:\n> Olá",
            "Op ma 23 nov 2026 om 10:02 schreef Shop <help@shop.example>:\n> Hallo",
            "-----Original Message-----\nFrom: Shop\nHello",
            "-----Ursprüngliche Nachricht-----\nVon: Shop\nHallo",
            "________________________________\nFrom: Shop <help@shop.example>\nSent: Monday, 23 November 2026 10:02\nTo: Ann\nHello",
            "Von: Shop <help@shop.example>\nGesendet: Montag, 23. November 2026 10:02\nAn: Ann\nHallo",
            "De : Shop <help@shop.example>\nEnvoyé : lundi 23 novembre 2026 10:02\nBonjour",
            "De: Shop <help@shop.example>\nEnviado el: lunes, 23 de noviembre de 2026\nHola",
            "Da: Shop <help@shop.example>\nInviato: lunedì 23 novembre 2026\nCiao",
            "De: Shop <help@shop.example>\nEnviada: segunda-feira, 23 de novembro\nOlá",
            "Van: Shop <help@shop.example>\nVerzonden: maandag 23 november 2026\nHallo",
        ] {
            let mail = format!("It is HP-10042.\n\nThank you\n\n{quoted}\n");
            assert_eq!(own_words(&mail), "It is HP-10042.\n\nThank you", "{quoted}");
        }
    }

    #[test]
    fn answers_between_quoted_lines_stay() {
        let mail = "On Mon, 23 Nov 2026 at 10:02, Shop <help@shop.example> wrote:\n> Which order?\nHP-10042\n> Which size?\n42\n";
        assert_eq!(own_words(mail), "HP-10042\n42");
    }

    #[test]
    fn a_forwarded_mail_stays_whole() {
        let mail = "Is this real?\n\n---------- Forwarded message ---------\nFrom: Shop <x@shop.example>\nDate: Mon, 23 Nov 2026\nSubject: Refund\n\nClick here";
        assert_eq!(own_words(mail), mail);
        let only = "> I was told to pass this on\n> to you";
        assert_eq!(own_words(only), only);
    }

    #[test]
    fn signatures_go_and_words_that_look_like_marks_stay() {
        assert_eq!(own_words("Hello\n\n-- \nAnn Baker\nBaker Ltd"), "Hello");
        assert_eq!(own_words("Hello\n\nSent from my iPhone"), "Hello");
        assert_eq!(own_words("Hallo\n\nVon meinem iPhone gesendet\n"), "Hallo");
        for plain in [
            "From: where do you ship?\nThanks",
            "On Monday I wrote: nothing came",
            "--\nAnn",
            "-----\nHello",
            "> quoted only",
        ] {
            assert_eq!(own_words(plain), plain, "{plain}");
        }
    }

    #[test]
    fn long_texts_take_no_time() {
        for piece in ["on \n", "> a\n", "From:\n", "wrote:\n", "a\n> b\n", "On 1 x wrote:\n> q\n"] {
            own_words(&piece.repeat(30_000));
        }
    }
}
