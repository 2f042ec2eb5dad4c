//! Rules on words that say something was done or will be: an action has its receipt, a promise its policy.

use std::sync::LazyLock;

use serde_json::Value as Json;

use super::grounds::{Sight, did};
use super::patterns::{Pattern, compile, first, places};
use super::shape::clause_before;
use super::violation;
use crate::domain::decision::{Severity, Violation};
use crate::domain::receipt::{CallStatus, Effect, Receipt};

macro_rules! done_en {
    () => {
        r"(?:refunded|reimbursed|credited|compensated|cancell?ed|sent|shipped|dispatched|mailed|emailed|issued|processed|changed|updated|corrected|redirected|deleted|erased|removed|registered|opened|created|started|initiated|arranged|booked|ordered|reordered|replaced|exchanged|swapped|transferred|paid|approved|extended|waived|applied|scheduled|reserved|upgraded|reset|confirmed|submitted|filed|completed|stopped|blocked|restored|unlocked|activated|reactivated|returned|fixed|resolved)\b"
    };
}

/// First person: it was us, so there must be a receipt of a write.
static WE_DID: Pattern = LazyLock::new(|| {
    compile(concat!(
        r"\b(?:i|we)(?:'ve|\s+have|\s+had|'d)?(?:\s+(?:now|just|already|also|successfully|gladly|gone ahead and))*\s+(?:added (?:an? |the |your )?(?:\d\S* )?(?:credit|discount|voucher|points|refund|money|item)\b|",
        done_en!(),
        r")|\b(?:ich habe|wir haben|hab ich|habe ich|haben wir)\b[^.!?\n]{0,70}?\b(?:erstattet|ruckerstattet|zuruckgezahlt|storniert|gesendet|geschickt|verschickt|versendet|verschickt|geandert|geloscht|veranlasst|ausgelost|uberwiesen|gutgeschrieben|bestatigt|registriert|aktualisiert|ersetzt|umgetauscht|angelegt|eingeleitet|beauftragt|bestellt)\b",
        r"|\b(?:j'ai|nous avons|je viens de|nous venons de)\b[^.!?\n]{0,50}?\b(?:rembourse|annule|envoye|modifie|change|supprime|credite|effectue|enregistre|expedie|remplace|echange|traite|valide|confirme|emis|cree|commande)(?:e|s|es|r)?\b",
        r"|\b(?:he|hemos|acabo de|acabamos de)\b[^.!?\n]{0,50}?\b(?:reembolsa|cancela|anula|envia|cambia|modifica|elimina|borra|abona|devuel|procesa|registra|emiti|tramita|reemplaza|aproba|actualiza|confirma)(?:do|da|dos|das|to|r)\b",
        r"|\b(?:ho|abbiamo)\b[^.!?\n]{0,50}?\b(?:rimborsa|annulla|cancella|invia|spedi|modifica|cambia|elimina|accredita|emess|sostitui|registra|aggiorna|elabora|approva|effettua|conferma)(?:to|ta|ti|te|o|a)\b",
        r"|\b(?:reembolsei|cancelei|anulei|enviei|alterei|mudei|eliminei|apaguei|creditei|processei|substitui|registei|registrei|aprovei|reembolsamos|cancelamos|enviamos|alteramos|eliminamos|creditamos|processamos|acabei de \w+|acabamos de \w+)\b",
        r"|\b(?:ik heb|we hebben|wij hebben|heb ik|hebben we|hebben wij)\b[^.!?\n]{0,70}?\b(?:terugbetaald|terugbetaling gedaan|geannuleerd|verzonden|gestuurd|verstuurd|opgestuurd|gewijzigd|veranderd|aangepast|verwijderd|gecrediteerd|verwerkt|geregistreerd|vervangen|omgeruild|bevestigd|aangemaakt|overgemaakt|goedgekeurd|bijgewerkt)\b",
    ))
});
/// Somebody did: a receipt of a write, or a record that shows this state.
static IT_WAS_DONE: Pattern = LazyLock::new(|| {
    compile(concat!(
        r"\b(?:(?:has|have|had|is|was|were|'s|been|got)(?:\s+(?:now|just|already|also|all|being|been|successfully|fully))*|are(?:\s+(?:now|just|already|also|all|successfully|fully))+)\s+",
        done_en!(),
        r"|\b(?:refund|order|payment|return|cancellation|replacement|exchange|credit|address|email)\s+(?:issued|cancell?ed|confirmed|processed|completed?|approved|updated|changed|sent)\b",
        r"|\b(?:refund|money|replacement|credit)\b[^.!?\n]{0,40}?\b(?:is|are|'s) (?:now |already )?(?:on (?:its|their|the) way|complete|done|through)\b",
        r"|\b(?:wurden?|ist|sind|worden)\b[^.!?\n]{0,70}?\b(?:erstattet|ruckerstattet|zuruckgezahlt|storniert|gesendet|geschickt|verschickt|versendet|geandert|geloscht|veranlasst|uberwiesen|gutgeschrieben|registriert|aktualisiert|ersetzt|umgetauscht|genehmigt)\b",
        r"|\b(?:a|ont|est|sont) (?:bien |deja |maintenant )?(?:ete )?(?:rembourse|annule|envoye|modifie|change|supprime|credite|effectue|enregistre|expedie|remplace|echange|valide|emis)(?:e|s|es)?\b",
        r"|\b(?:ha sido|han sido|fue|fueron|esta|estan|se ha|se han|queda)\s+(?:ya )?(?:reembolsa|cancela|anula|envia|cambia|modifica|elimina|borra|abona|procesa|registra|emiti|tramita|reemplaza|aproba|actualiza)d[oa]s?\b",
        r"|\b(?:stat[oaie]|e|sono)\s+(?:gia )?(?:stat[oaie] )?(?:rimborsa|annulla|cancella|invia|spedi|modifica|cambia|elimina|accredita|sostitui|registra|aggiorna|elabora|approva|effettua)t[oaie]\b|\bstat[oaie] emess[oaie]\b",
        r"|\b(?:foi|foram|esta|estao|ja foi)\s+(?:ja )?(?:reembolsa|cancela|anula|envia|altera|elimina|apaga|credita|emiti|processa|substitui|regist|registra|aprova)d[oa]s?\b",
        r"|\b(?:is|zijn|werd|werden)\b[^.!?\n]{0,60}?\b(?:terugbetaald|geannuleerd|verzonden|verstuurd|gewijzigd|aangepast|verwijderd|gecrediteerd|verwerkt|geregistreerd|vervangen|omgeruild|overgemaakt|goedgekeurd)\b",
        r"|(?:^|[.!?:\n]\s*)(?:all )?done\b|\bit(?:'s| is) (?:all )?done\b|(?:^|[.!?:\n]\s*)(?:erledigt|c'est fait|hecho|listo|fatto|feito|pronto|gedaan|geregeld)(?:[.!:]|$)",
    ))
});
/// `once your order is cancelled` says nothing was done.
static CONDITION: Pattern = LazyLock::new(|| {
    compile(
        r"\b(?:if|when|once|unless|until|whether|as soon as|before|after|wenn|falls|sobald|ob|si|quand|lorsque|des que|une fois|cuando|una vez|se|quando|non appena|una volta|assim que|als|zodra|wanneer)\b",
    )
});
static REFUNDS: &[&str] = &[
    "refund",
    "reimburs",
    "credit",
    "erstatt",
    "zuruckgezahl",
    "gutgeschrieb",
    "uberwies",
    "rembours",
    "reembols",
    "abona",
    "devuel",
    "rimbors",
    "accredit",
    "terugbeta",
    "overgemaakt",
    "compensat",
    "paid",
    "money",
];
/// What the words of a claim ask of the name, the fields or the texts of a receipt.
static KINDS: &[(&[&str], &[&str])] = &[
    (REFUNDS, &["refund", "credit", "reimburs", "paid", "payout"]),
    (&["cancel", "storn", "annul", "geannul", "anula", "anulei", "stopped"], &["cancel"]),
    (
        &[
            "sent",
            "shipped",
            "dispatched",
            "mailed",
            "gesendet",
            "geschickt",
            "schickt",
            "versendet",
            "envoy",
            "expedi",
            "envi",
            "invi",
            "spedi",
            "verzonden",
            "gestuurd",
            "verstuurd",
            "on its way",
            "on the way",
        ],
        &["sent", "send", "ship", "label", "link", "replacement", "dispatch", "tracking"],
    ),
    (
        &["deleted", "erased", "geloscht", "supprim", "elimin", "borra", "apag", "verwijderd"],
        &["delet", "eras", "remov"],
    ),
    (&["replac", "ersetzt", "remplac", "reemplaz", "sostitui", "substitui", "vervangen"], &["replac"]),
    (&["exchang", "swapped", "umgetauscht", "echang", "omgeruild"], &["exchang"]),
    (&["returned"], &["return"]),
    (
        &[
            "changed",
            "updated",
            "redirected",
            "geandert",
            "aktualisiert",
            "modifi",
            "cambia",
            "altera",
            "aggiorna",
            "actualiza",
            "gewijzigd",
            "aangepast",
        ],
        &["chang", "updat", "address", "email"],
    ),
];

/// What was done has a receipt of this case.
pub(super) fn actions(sight: &Sight<'_>) -> Option<Violation> {
    let ours = unproven(sight, &WE_DID, did);
    let theirs = || unproven(sight, &IT_WAS_DONE, |receipt| did(receipt) || shows(receipt));
    ours.or_else(theirs).map(|found| violation("actions", &found, Severity::Revise))
}

fn shows(receipt: &Receipt) -> bool {
    receipt.effect == Effect::Read && receipt.status == CallStatus::Done
}

fn unproven(sight: &Sight<'_>, claim: &Pattern, proves: fn(&Receipt) -> bool) -> Option<String> {
    let text = &sight.plain;
    places(claim, text).into_iter().find_map(|(start, end)| {
        let found = text.get(start..end)?;
        if first(&CONDITION, condition_before(text, start)).is_some() || asked(text, end) {
            return None;
        }
        let stems = stems(found);
        let rests =
            sight.context.receipts.iter().any(|receipt| {
                proves(receipt) && (stems.map_or(did(receipt), |stems| bears(receipt, stems)))
            });
        (!rests && !sight.quoted(found)).then(|| found.to_owned())
    })
}

/// The words since the last comma: a condition further back has ended.
fn condition_before(text: &str, at: usize) -> &str {
    let clause = clause_before(text, at);
    clause.rsplit(',').next().unwrap_or(clause)
}

/// `Has it been sent?` claims nothing.
fn asked(text: &str, end: usize) -> bool {
    let tail = text.get(end..).unwrap_or_default();
    tail.find(['.', '!', '?', '\n'])
        .is_some_and(|at| tail.get(at..).is_some_and(|rest| rest.starts_with('?')))
}

fn stems(claim: &str) -> Option<&'static [&'static str]> {
    KINDS.iter().find(|(words, _)| words.iter().any(|word| claim.contains(word))).map(|(_, stems)| *stems)
}

/// Whether a receipt is about this: by the name of a write, by a field that holds something, or by a state.
fn bears(receipt: &Receipt, stems: &[&str]) -> bool {
    let about = |text: &str| stems.iter().any(|stem| text.contains(stem));
    (did(receipt) && about(&receipt.tool)) || holds(&receipt.result, &about)
}

fn holds(value: &Json, about: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Json::Object(fields) => fields.iter().any(|(key, field)| {
            let filled = match field {
                Json::Null => false,
                Json::Bool(yes) => *yes,
                Json::Number(number) => number.as_f64().is_some_and(|n| n != 0.0),
                Json::String(text) => !text.is_empty(),
                Json::Array(entries) => !entries.is_empty(),
                Json::Object(inner) => !inner.is_empty(),
            };
            // `refundable`, `cancellable` and notes say what could be, not what is.
            let could = key.contains("able") || key.contains("note") || key.ends_with("_until");
            filled && !could && (about(key) || holds(field, about))
        }),
        Json::Array(entries) => entries.iter().any(|entry| holds(entry, about)),
        // A state is one word or two; a sentence may say anything.
        Json::String(text) => text.len() <= 40 && about(&text.to_lowercase()),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

static PROMISES: Pattern = LazyLock::new(|| {
    compile(concat!(
        r"\b(?:i|we)(?:'ll| will| shall|'m going to|'re going to| are going to| am going to)(?:\s+(?:now|gladly|of course|also|certainly|immediately))*\s+(?:refund|reimburse|compensate|credit|cancel|replace|exchange|waive|pay|ship|resend|upgrade|extend|give you|send you)\b",
        r"|\byou(?:'ll| will)(?:\s+\w+)?\s+(?:receive|get|be)\s+(?:a |an |your |the )?(?:full |partial )?(?:refund|refunded|reimburse|credit|compensat|voucher|discount|money|replacement|free)\w*",
        r"|\bwill be (?:refunded|credited|reimbursed|replaced|compensated|waived|cancell?ed)\b|\bguarantee[ds]?\b|\b(?:i|we) promise\b|\brest assured\b",
        r"|\bwir (?:erstatten|ersetzen|schenken|garantieren|versprechen)\b|\b(?:werde|werden)\b[^.!?\n]{0,50}?\b(?:erstatten|stornieren|ersetzen|gutschreiben|uberweisen|erstattet)\b|\bgarantiert\b",
        r"|\b(?:rembourserons|rembourserai|annulerons|annulerai|remplacerons|serez rembourse|sera rembourse|garantissons|promettons)\w*",
        r"|\b(?:reembolsaremos|reembolsare|cancelaremos|cancelare|reemplazaremos|abonaremos|sera reembolsado|garantizamos|prometemos)\b",
        r"|\b(?:rimborseremo|rimborsero|annulleremo|annullero|sostituiremo|sara rimborsat[oa]|garantiamo|promettiamo)\b",
        r"|\b(?:reembolsarei|cancelarei|substituiremos|creditaremos|(?:vou|vamos|iremos) (?:reembolsar|cancelar|substituir|creditar)|sera reembolsad[oa]|garantimos)\b",
        r"|\b(?:zal|zullen|gaan|ga)\b[^.!?\n]{0,50}?\b(?:terugbetalen|annuleren|vervangen|crediteren|overmaken|vergoeden)\b|\b(?:garanderen|beloven)\b",
    ))
});

/// What will be done rests on a passage or on a receipt, or is only asked about.
pub(super) fn promises(sight: &Sight<'_>) -> Option<Violation> {
    if sight.context.asks {
        return None;
    }
    let text = &sight.plain;
    let found = places(&PROMISES, text).into_iter().find_map(|(start, end)| {
        let found = text.get(start..end)?;
        if first(&CONDITION, condition_before(text, start)).is_some() || sight.quoted(found) {
            return None;
        }
        let done = stems(found).is_some_and(|stems| {
            sight.context.receipts.iter().any(|receipt| did(receipt) && bears(receipt, stems))
        });
        (!done).then_some(found)
    });
    found.map(|found| violation("promises", found, Severity::Revise))
}

/// Every pattern of this file.
#[cfg(test)]
pub(super) fn patterns() -> Vec<&'static Pattern> {
    vec![&WE_DID, &IT_WAS_DONE, &CONDITION, &PROMISES]
}
