//! The words by which short messages of customers give their language away.

/// The words of one language.
pub(super) struct Words {
    /// ISO 639-1.
    pub(super) code: &'static str,
    /// Small words; a word may stand in several languages, or be somebody's name.
    pub(super) small: &'static str,
    /// Words that say as much as two small ones, unless another language has them as well.
    pub(super) telling: &'static str,
}

pub(super) const WORDS: [Words; 7] = [
    Words {
        code: "en",
        small: "the is my where i and you it how what do please can have order a to of not for this when im dont in \
            on me no was are be with your we will that has at but or if an would could should did does get got from \
            need want help return refund cancel track parcel package wrong still never now why who which \
            out up so they he she us our just been had its there here more broken comment thanks thank hello",
        telling: "wheres whats hows havent hasnt didnt doesnt cant wont isnt shipping shipped delivered delivery missing \
            broken waiting refunded returned ordered received anymore working something someone invoice address \
            changed changing my wrong forgot forgotten mine the with would could should what where when which why need want about your",
    },
    Words {
        code: "de",
        small: "ich ist meine mein wo und nicht bitte die der das wie kann habe wann eine einen sie mit den dem es ein \
            im in zu auf für von ist war was wer warum noch nie mehr schon hat haben bin sind wird werden mir mich \
            ihr wir uns aus bei nach um an am nur auch aber oder kein keine geld hilfe hallo ja nein paket guten",
        telling: "ich nicht möchte brauche bestellung zurück danke stornieren rückerstattung rücksendung lieferung sendung \
            rechnung größe falsche falsch erhalten funktioniert können helfen kaputt meinen meiner zurückgeben \
            zurückschicken verfolgen bleibt wann warum bitte guten habe passwort vergessen kostet umtauschen ändern \
            bezahlen versendet warte undicht hilfe gutschein willkommen stiefel mitarbeiter mensch erstattung immer wieder",
    },
    Words {
        code: "fr",
        small: "je est ma mon et pas le les vous une des mes quand du suis la un de en à au aux ce cette que qui sur \
            dans pour par avec sans plus il elle on nous ne nai jai na pas son sa ses tu ou où ça cest ai a été bien me \
            mauvaise taille reçu marche fuit tente aide lai comment",
        telling: "conseiller conseillère je commande bonjour merci colis puis jai cest jattends besoin daide veux voudrais remboursement \
            livraison facture svp pouvez quest quand annuler retourner reçu reçue cassé cassée arrivé arrivée \
            toujours oublié passe expédié rembourser maider taille mauvaise mauvais marche fonctionne aider aidez vous \
            suivre dune commandé nest ça où être avoir très chaussures bottes envoyer rendre échanger",
    },
    Words {
        code: "es",
        small: "mi está y el los una por ha un la de en que no se lo las me con para al del es son mis su esto eso \
            este esta como más ya hay he nos si o a talla rota roto quién tienda porque cosa",
        telling: "dónde donde pedido hola gracias quiero cómo cuándo puedo llegado necesito ayuda quisiera tengo devolver \
            devolución paquete reembolso envío envían dirección factura contraseña dinero botas cancelar ayudar \
            ayudarme pueden puede funciona llegó qué olvidé pagar talla equivocada estoy esperando sigo todavía \
            cambiar devuélvanme envía cremallera rota roto mañana buenos días nunca favor mucho comprar compré cuánto",
    },
    Words {
        code: "it",
        small: "il mio e non che una è mia gli la un di a in per con lo le si mi ho ha sono era questo questa del al \
            della dei i più o se ma da dal nel ne ci rotto rotta tenda come viene taglia sul anche ancora dove",
        telling: "operatore dovè ordine ciao grazie vorrei quando posso pacco voglio bisogno aiuto rimborso spedizione spedito \
            spedita fattura restituire annullare funziona potete aiutare aiutarmi indirizzo cambiare sbagliata sbagliato \
            ricevuto ricevuta rivoglio soldi miei consegna aspetto ancora arrivato arrivata cosa cosè perché dimenticato \
            pagare pago buongiorno salve scarponi cerniera tracciare reso questo sono della gli non più favore",
    },
    Words {
        code: "pt",
        small: "meu minha está os eu da do uma um o a e de em no na não para por com que se me as dos das ao à é são já \
            foi isto isso mais como quando tem ou nos mas sem tenda furo partido favor só lhe vai ser",
        telling: "atendente onde não pedido olá obrigado obrigada quero posso encomenda chegou preciso ajuda gostaria tenho reembolso \
            devolver devolução fatura endereço morada senha esqueci dinheiro entrega envio enviado botas cancelar podem \
            pode ajudar ajudem minha meu uma ainda espera tamanho errado errada recebido recebi mudar pagar estragado \
            então também você vocês muito bom porque trocar cadê comprei quanto funciona volta",
    },
    Words {
        code: "nl",
        small: "mijn waar is het een niet ik wil hoe kan en van geen de te op dat dit die wat er met voor aan in nog \
            je jullie u was heb heeft nu ook maar of als bij naar mij me wordt werkt maat nooit tent meer terug geld",
        telling: "medewerker mijn het een niet bestelling hallo bedankt ik wanneer pakket graag wordt heb nodig hulp terug alstublieft \
            terugsturen annuleren levering factuur adres wijzigen waar verkeerde ontvangen kunnen helpen kapot werkt \
            wachtwoord vergeten betalen blijft laarzen verzonden volgen lekt aangekomen retourneren jullie hoe terugbetaling \
            kosten goedemorgen goedendag waarom geleverd ruilen",
    },
];
