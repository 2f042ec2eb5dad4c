//! A bare word by which somebody wants no more messages, wants them again, or asks what this number is.
//!
//! The words of the carriers and of Twilio (STOP, STOPALL, UNSUBSCRIBE, CANCEL, END, QUIT, OPTOUT, REVOKE; START,
//! UNSTOP; HELP, INFO) and what people write for them in the seven languages. YES is none of them here: it answers a
//! question far more often than it ends a silence.

use super::answers::{affirmation, takes_back};
use crate::language::plain;

/// What a bare word asks of the medium itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptOut {
    /// No more messages.
    Stop,
    /// Messages again.
    Start,
    /// Who writes here, and how to make it stop.
    Help,
}

/// A bare word of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptOutWord {
    /// What it asks.
    pub asks: OptOut,
    /// Whether it can also be an ordinary answer or request: "cancel", "stop", "help".
    pub ambiguous: bool,
}

/// Longest message that is looked at, in characters; each word below is shorter.
const CHARS_MAX: usize = 60;

/// Means nothing else.
const STOP: &str = "stopall|stop all|unsubscribe|unsubscribe me|optout|opt out|opt me out|revoke|stop messages|\
    stop sms|stopsms|stop texting me|stop texting|stop messaging me|stop sending me messages|stop sending me texts|\
    no more messages|no more texts|remove me from your list|abmelden|austragen|abbestellen sms|keine nachrichten mehr|\
    keine sms mehr|schreiben sie mir nicht mehr|désabonner|desabonner|me désabonner|désabonnement|desabonnement|\
    désinscription|desinscription|désinscrire|me désinscrire|ne plus recevoir de messages|ne mécrivez plus|\
    darme de baja|darse de baja|dar de baja|desuscribir|desuscribirme|no más mensajes|no mas mensajes|\
    no quiero más mensajes|disiscrivimi|disiscriviti|disiscrizione|disiscrivermi|annulla iscrizione|basta messaggi|\
    niente più messaggi|niente piu messaggi|descadastrar|descadastre|cancelar inscrição|cancelar inscricao|\
    chega de mensagens|não quero mais mensagens|nao quero mais mensagens|afmelden|uitschrijven|schrijf me uit|\
    geen berichten meer|geen sms meer|stop met berichten";

/// Ends the messages too, unless it answers what was asked.
const STOP_OR_ANSWER: &str = "stop|stopp|stoppen|cancel|end|quit|abbestellen|abbrechen|beenden|ende|arrêt|arret|\
    arrêter|arreter|arrêtez|arretez|annuler|alto|parar|pare|baja|cancelar|salir|basta|annulla|cancella|ferma|sair|\
    remover|annuleren|einde|ophouden";

/// Means nothing else.
const START: &str = "unstop|optin|opt in|resubscribe|subscribe|start messages|wieder anmelden|réabonner|reabonner|\
    me réabonner|réabonnement|darme de alta|suscribirme|suscribir|iscrivimi|inscrever|cadastrar|weer aanmelden";

/// Begins them again, unless it answers what was asked.
const START_OR_ANSWER: &str = "start|starten|anmelden|commencer|démarrer|demarrer|iniciar|empezar|alta|inizia|avvia|\
    começar|comecar|aanmelden";

/// Whoever needs help with something may write just that.
const HELP_OR_REQUEST: &str = "help|info|information|hilfe|aide|infos|ayuda|información|informacion|aiuto|informazioni|ajuda|informação|\
    informacao|hulp|informatie";

/// Whether a message is such a word and nothing else.
pub fn opt_out_word(text: &str) -> Option<OptOutWord> {
    // A question asks about the word: "stop?"
    if text.contains(['?', '¿', '？']) || text.chars().nth(CHARS_MAX).is_some() {
        return None;
    }
    let said = plain(text);
    let lists = [
        (STOP, OptOut::Stop, false),
        (START, OptOut::Start, false),
        (STOP_OR_ANSWER, OptOut::Stop, true),
        (START_OR_ANSWER, OptOut::Start, true),
        (HELP_OR_REQUEST, OptOut::Help, true),
    ];
    let found = lists.iter().find(|(words, ..)| words.split('|').any(|word| word == said));
    let (_, asks, ambiguous) = found?;
    let answers = affirmation(text).is_some() || takes_back(text);
    Some(OptOutWord { asks: *asks, ambiguous: *ambiguous || answers })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn word(asks: OptOut, ambiguous: bool) -> OptOutWord {
        OptOutWord { asks, ambiguous }
    }

    #[test]
    fn the_words_of_the_carriers_are_known_however_they_are_written() {
        for text in ["STOPALL", "Stop All.", " unsubscribe ", "OptOut", "opt-out", "REVOKE"] {
            assert_eq!(opt_out_word(text), Some(word(OptOut::Stop, false)), "{text}");
        }
        for text in ["STOP", "stop", "Stop!", "\"STOP\"", " Stop\n", "CANCEL", "End", "quit."] {
            assert_eq!(opt_out_word(text), Some(word(OptOut::Stop, true)), "{text}");
        }
        assert_eq!(opt_out_word("START"), Some(word(OptOut::Start, true)));
        assert_eq!(opt_out_word("unstop"), Some(word(OptOut::Start, false)));
        for text in ["HELP", "help", "INFO"] {
            assert_eq!(opt_out_word(text), Some(word(OptOut::Help, true)), "{text}");
        }
    }

    #[test]
    fn each_of_the_seven_languages_has_its_words() {
        for (stop, start, help) in [
            ("unsubscribe", "subscribe", "help"),
            ("Abmelden", "wieder anmelden", "Hilfe"),
            ("désabonner", "réabonner", "aide"),
            ("darme de baja", "suscribirme", "ayuda"),
            ("disiscrivimi", "iscrivimi", "aiuto"),
            ("descadastrar", "cadastrar", "ajuda"),
            ("afmelden", "weer aanmelden", "hulp"),
        ] {
            assert_eq!(opt_out_word(stop), Some(word(OptOut::Stop, false)), "{stop}");
            assert_eq!(opt_out_word(start), Some(word(OptOut::Start, false)), "{start}");
            assert_eq!(opt_out_word(help), Some(word(OptOut::Help, true)), "{help}");
        }
        for stop in ["Stopp", "ARRET", "arrêt", "alto", "basta", "parar", "stoppen"] {
            assert_eq!(opt_out_word(stop), Some(word(OptOut::Stop, true)), "{stop}");
        }
    }

    #[test]
    fn only_the_bare_word_counts() {
        for text in [
            "",
            "stop?",
            "stop the order",
            "please stop",
            "cancel HP-10042",
            "cancel it",
            "help me with my order",
            "yes",
            "no",
            "I want to end my subscription",
            "when does it start",
            "fine",
            "the weekend",
            "stop stop stop sending this to my neighbour and bring it to me instead",
        ] {
            assert_eq!(opt_out_word(text), None, "{text}");
        }
    }

    #[test]
    fn every_listed_word_is_found_once_and_says_what_its_list_says() {
        let lists = [STOP, START, STOP_OR_ANSWER, START_OR_ANSWER, HELP_OR_REQUEST];
        let mut seen = std::collections::HashSet::new();
        for listed in lists.iter().flat_map(|list| list.split('|')) {
            assert_eq!(plain(listed), listed, "written as it is compared");
            assert!(listed.chars().count() <= CHARS_MAX && seen.insert(listed), "{listed}");
            assert!(opt_out_word(listed).is_some(), "{listed}");
        }
        for listed in [STOP, START].iter().flat_map(|list| list.split('|')) {
            assert!(opt_out_word(listed).is_some_and(|word| !word.ambiguous), "{listed} is no answer too");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in any::<String>()) {
            let _ = opt_out_word(&text);
        }
    }
}
