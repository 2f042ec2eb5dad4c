//! A bare yes and a bare no in languages whose sentences we do not read. A language model may carry on a conversation in
//! any of them, but whether the customer agreed to a write is read here, by code, from the whole message.

use super::Answer;
use crate::language::plain;

/// The whole of a message in one language.
struct Words {
    /// ISO 639-1.
    code: &'static str,
    yes: &'static str,
    no: &'static str,
}

const fn words(code: &'static str, yes: &'static str, no: &'static str) -> Words {
    Words { code, yes, no }
}

const WORDS: &[Words] = &[
    words("ar", "نعم|أجل|موافق|نعم من فضلك", "لا|لا شكرا|كلا"),
    words("bg", "да|да моля|потвърждавам|съгласен съм|съгласна съм", "не|не благодаря"),
    words("ca", "sí|sí si us plau|d'acord|confirmo", "no|no gràcies"),
    words("cs", "ano|ano prosím|jo|souhlasím|potvrzuji", "ne|ne děkuji|nechci"),
    words("da", "ja|ja tak|jo|jeg bekræfter", "nej|nej tak"),
    words("el", "ναι|ναι παρακαλώ|επιβεβαιώνω|συμφωνώ", "όχι|όχι ευχαριστώ"),
    words("et", "jah|jaa|jah palun|kinnitan", "ei|ei aitäh"),
    words("fa", "بله|بله لطفا|آره|تایید می کنم", "نه|خیر|نه ممنون"),
    words("fi", "kyllä|joo|kyllä kiitos|vahvistan", "ei|ei kiitos"),
    words("he", "כן|כן בבקשה|מאשר|מאשרת", "לא|לא תודה"),
    words("hi", "हाँ|हां|जी हाँ|जी हां|हाँ जी", "नहीं|जी नहीं|नहीं धन्यवाद"),
    words("hr", "da|da molim|potvrđujem|slažem se", "ne|ne hvala"),
    words("hu", "igen|igen kérem|megerősítem|rendben", "nem|nem köszönöm"),
    words("id", "ya|iya|ya silakan|setuju", "tidak|tidak terima kasih|jangan"),
    words("ja", "はい|ええ|はい、お願いします|お願いします", "いいえ|いえ|やめます"),
    words("ko", "네|예|네 부탁합니다|네 부탁드립니다", "아니요|아니오|아뇨"),
    words("lt", "taip|taip prašau|patvirtinu|sutinku", "ne|ne ačiū"),
    words("lv", "jā|jā lūdzu|apstiprinu|piekrītu", "nē|nē paldies"),
    words("nb", "ja|ja takk|jepp|jeg bekrefter", "nei|nei takk"),
    words("no", "ja|ja takk|jepp|jeg bekrefter", "nei|nei takk"),
    words("pl", "tak|tak proszę|tak poproszę|potwierdzam|zgadzam się", "nie|nie dziękuję|nie chcę"),
    words("ro", "da|da vă rog|da te rog|confirm|sunt de acord", "nu|nu mulțumesc"),
    words("ru", "да|да пожалуйста|подтверждаю|согласен|согласна", "нет|нет спасибо|не надо"),
    words("sk", "áno|áno prosím|súhlasím|potvrdzujem", "nie|nie ďakujem|nechcem"),
    words("sl", "da|ja|da prosim|potrjujem|strinjam se", "ne|ne hvala"),
    words("sr", "da|da molim|potvrđujem|да|да молим|потврђујем", "ne|ne hvala|не|не хвала"),
    words("sv", "ja|ja tack|japp|jag bekräftar", "nej|nej tack"),
    words("th", "ใช่|ใช่ครับ|ใช่ค่ะ|ตกลง", "ไม่|ไม่ใช่|ไม่ครับ|ไม่ค่ะ"),
    words("tr", "evet|evet lütfen|onaylıyorum|kabul ediyorum", "hayır|hayır teşekkürler|istemiyorum"),
    words("uk", "так|так будь ласка|підтверджую|згоден|згодна", "ні|ні дякую|не треба"),
    words("vi", "có|vâng|dạ|dạ có|đồng ý", "không|không cảm ơn"),
    words("zh", "是|是的|好|好的|可以|确认|確認|同意", "不|不是|不用|不要|不用了"),
];

/// A bare yes or no in `language`, an ISO 639-1 code, and nothing else in the message.
pub(super) fn plain_word(text: &str, language: &str) -> Option<Answer> {
    let words = WORDS.iter().find(|words| words.code == language)?;
    if text.contains(['?', '？', '؟', ';']) {
        return None;
    }
    let said = plain(text);
    let among = |phrases: &str| phrases.split('|').any(|phrase| plain(phrase) == said);
    match (among(words.yes), among(words.no)) {
        (true, false) => Some(Answer::Yes),
        (false, true) => Some(Answer::No),
        (true, true) | (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_word_is_an_answer_in_its_own_language_only() {
        for (language, yes, no) in [
            ("pl", "Tak, proszę!", "nie"),
            ("ja", "はい。", "いいえ"),
            ("th", "ใช่ค่ะ", "ไม่ค่ะ"),
            ("hi", "हाँ", "नहीं"),
            ("ar", "نعم", "لا، شكرا"),
            ("tr", "EVET", "Hayır"),
        ] {
            assert_eq!(plain_word(yes, language), Some(Answer::Yes), "{yes}");
            assert_eq!(plain_word(no, language), Some(Answer::No), "{no}");
            for other in [format!("{yes} {no}"), format!("{yes}?"), format!("{yes} HP-10042"), String::new()]
            {
                assert_eq!(plain_word(&other, language), None, "{other}");
            }
        }
        // "Thanks" in Danish, "yes" in Polish.
        assert_eq!(plain_word("tak", "da"), None);
        assert_eq!(plain_word("tak", "en"), None);
    }

    #[test]
    fn no_word_is_both_yes_and_no_in_one_language() {
        for words in WORDS {
            let no: Vec<String> = words.no.split('|').map(plain).collect();
            for yes in words.yes.split('|').map(plain) {
                assert!(!yes.is_empty() && !no.contains(&yes), "{}: {yes}", words.code);
            }
        }
    }
}
