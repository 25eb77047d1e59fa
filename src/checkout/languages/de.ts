import type { Texts } from './texts.js';

export const de: Texts = {
  payment: 'Zahlung',
  stories: {
    opening: {
      heading: 'Ihre Zahlung wird vorbereitet',
      lead: 'Die Zahlung wird gerade eingerichtet. Sie können gleich bezahlen.',
      longer:
        'Normalerweise dauert das nur Sekunden. Dauert es länger, kommen Sie später auf diese Seite zurück; senden Sie vorher bitte nichts.',
    },
    awaiting: {
      heading: 'Wir warten auf Ihre Zahlung',
      lead: 'Noch wurde keine Transaktion gesehen. Meist erscheint sie hier innerhalb einer Minute nach dem Senden.',
      longer:
        'Prüfen Sie in Ihrer Wallet, ob die Transaktion wirklich gesendet wurde, an die richtige Adresse und im richtigen Netzwerk. Ein ausgelastetes Netzwerk kann länger brauchen; bitte senden Sie nicht zweimal.',
    },
    elsewhere: {
      heading: 'Ein Teil des Betrags ist eingegangen',
      lead: 'Der fehlende Teil wird über eine andere Zahlung Ihrer Bestellung eingezogen; bitte bezahlen Sie diese.',
      longer: 'Sobald die andere Zahlung abgeschlossen ist, geht es hier von selbst weiter.',
    },
    partial: {
      heading: 'Ein Teil des Betrags ist eingegangen',
      lead: 'Bitte senden Sie den fehlenden Teil, um die Zahlung abzuschließen.',
      longer:
        'Haben Sie den Rest schon gesendet, erscheint er hier, sobald das Netzwerk ihn weitergibt; bitte senden Sie nicht zweimal.',
    },
    overdue: {
      heading: 'Die Zeit zum Bezahlen ist abgelaufen',
      lead: 'Bitte zahlen Sie hierfür nichts mehr.',
      longer:
        'Haben Sie schon Geld gesendet, behalten Sie diese Seite: Sie zeigt, ob es gesehen wurde. Fragen Sie im Zweifel den Shop.',
    },
    detected: {
      heading: 'Wir sehen Ihre Transaktion',
      lead: 'Sie ist im Netzwerk und wartet auf ihre erste Bestätigung. Sie müssen nichts weiter tun.',
      longer:
        'Wie schnell sie bestätigt wird, hängt vom Netzwerk und von der bezahlten Gebühr ab. Bitte senden Sie nicht noch einmal.',
    },
    confirming: {
      heading: 'Ihre Transaktion wird bestätigt',
      lead: 'Sie müssen nichts weiter tun. Sie können diese Seite schließen; der Shop wird benachrichtigt.',
      longer: 'Wie schnell sie bestätigt wird, hängt vom Netzwerk ab. Bitte senden Sie nicht noch einmal.',
    },
    checking: {
      heading: 'Ihre Zahlung ist eingegangen und wird geprüft',
      lead: 'Eine letzte Prüfung läuft, bevor sie als abgeschlossen gilt. Sie müssen nichts weiter tun.',
      longer:
        'Endet die Prüfung nicht von selbst, sieht sich der Shop die Zahlung an. Bitte zahlen Sie nicht noch einmal.',
    },
    settled: {
      heading: 'Bezahlt',
      lead: 'Ihre Zahlung ist abgeschlossen. Vielen Dank.',
      longer: 'Falls Ihnen etwas fehlt, fragen Sie den Shop: Er sieht diese Zahlung auch.',
    },
    refunding: {
      heading: 'Ihr Geld ist auf dem Rückweg',
      lead: 'Diese Zahlung wird zurückerstattet. Bitte bezahlen Sie sie nicht noch einmal.',
      longer: 'Wie lange das dauert, hängt vom Netzwerk ab. Vermissen Sie das Geld, fragen Sie den Shop.',
    },
    refunded: {
      heading: 'Geld wurde zurückgegeben',
      lead: 'Geld aus dieser Zahlung wurde zurückgegeben. Bitte bezahlen Sie sie nicht noch einmal.',
      longer: 'Vermissen Sie das Geld, fragen Sie den Shop.',
    },
    in_review: {
      heading: 'Jemand sieht sich Ihre Zahlung an',
      lead: 'Ihr Geld wurde gesehen. Der Shop entscheidet, wie es weitergeht; bitte zahlen Sie nicht noch einmal.',
      longer: 'Wie lange das dauert, liegt beim Shop. Wenn Sie nichts von ihm hören, fragen Sie dort nach.',
    },
    closed: {
      heading: 'Diese Zahlung ist geschlossen',
      lead: 'Bitte zahlen Sie hierfür nichts mehr. Wenn Sie noch kaufen möchten, bitten Sie den Shop um eine neue Zahlung.',
      longer: 'Haben Sie trotzdem Geld gesendet, fragen Sie den Shop.',
    },
    rejected: {
      heading: 'Diese Zahlung wurde nicht angenommen',
      lead: 'Der Shop hat entschieden, sie nicht abzuschließen. Bitte zahlen Sie hierfür nichts mehr.',
      longer: 'Was mit Ihrem Geld geschieht, liegt beim Shop; fragen Sie dort nach.',
    },
  },
  steps: {
    label: 'Wie weit die Zahlung ist',
    seen: 'Gesehen',
    confirming: 'Bestätigung',
    complete: 'Abschluss',
    notSeen: 'Noch nicht gesehen',
    seenCount: { one: '{count} Transaktion gesehen', other: '{count} Transaktionen gesehen' },
    notYet: 'Noch nicht',
    notNeeded: 'Nicht nötig',
    confirmed: 'Bestätigt',
    unconfirmed: 'Noch nicht bestätigt',
    confirmationsOf: { one: '{count} von {needed} Bestätigung', other: '{count} von {needed} Bestätigungen' },
    confirmationsSoFar: { one: 'bisher {count} Bestätigung', other: 'bisher {count} Bestätigungen' },
    done: 'Fertig',
    checking: 'Wird geprüft',
    waitsForShop: 'Der Shop entscheidet',
    closed: 'Geschlossen',
    givenBack: 'Zurückerstattet',
  },
  facts: {
    byCredit: 'Mit Ihrem Guthaben bezahlt',
    leftToPay: 'Noch zu zahlen',
    received: 'Eingegangen',
    missing: 'Es fehlen noch',
    timeLeft: 'Verbleibende Zeit',
    until: 'bis {time} UTC',
    about: 'etwa {amount}',
    counting: 'wird gezählt',
    credited: 'Ihnen gutgeschrieben',
    creditedHow: 'der Shop bewahrt es für Ihren nächsten Einkauf auf',
    refunded: 'An Sie zurückgesendet',
    refunding: 'Auf dem Rückweg',
    refundHow: 'an die angegebene Adresse',
    withShop: 'Beim Shop',
    withShopHow: 'es wurde gesehen; der Shop sagt Ihnen, was damit geschieht',
  },
  pay: {
    title: 'So bezahlen Sie',
    now: 'Jetzt bezahlen',
    scan: 'QR-Code der Adresse',
    address: 'Adresse',
    network: 'Netzwerk',
    memo: 'Memo (Tag)',
    memoWarning:
      'Geben Sie dieses Memo bei Ihrer Transaktion an. Ohne es kann Ihr Geld nicht zugeordnet werden und verloren gehen.',
    amount: 'Betrag',
    amountIn: '{amount}, zu zahlen in {currency}',
    only: 'Senden Sie nur {currency} in diesem Netzwerk: {network}. Alles andere kann verloren gehen.',
    copy: 'Kopieren',
    copied: 'Kopiert',
  },
  transactions: {
    title: 'Transaktionen',
    failed: 'Fehlgeschlagen; zählt nicht',
    late: 'Nach der Frist',
    id: 'Transaktions-ID',
    explorer: 'Im Netzwerk ansehen',
    newWindow: 'öffnet sich in einem neuen Fenster',
  },
  longer: 'Wenn es länger dauert',
  policy: {
    title: 'Wenn Betrag oder Zeit nicht passen',
    lessTolerated: 'Bis zu {percent} % weniger als der Preis werden akzeptiert.',
    less: {
      reject:
        'Geht bis zur Frist zu wenig ein, wird die Zahlung geschlossen; der Shop sagt Ihnen, was mit diesem Geld geschieht.',
      credit:
        'Geht bis zur Frist zu wenig ein, wird die Zahlung geschlossen, und was eingegangen ist, wird Ihr Guthaben beim Shop.',
      review: 'Geht bis zur Frist zu wenig ein, entscheidet ein Mensch beim Shop.',
    },
    moreTolerated: 'Bis zu {percent} % mehr als der Preis bleiben beim Shop.',
    more: {
      keep: 'Senden Sie zu viel, bleibt der Überschuss beim Shop.',
      credit: 'Senden Sie zu viel, wird der Überschuss Ihr Guthaben beim Shop.',
      refund: 'Senden Sie zu viel, wird der Überschuss an die angegebene Adresse zurückgesendet.',
      review: 'Senden Sie zu viel, entscheidet ein Mensch beim Shop über den Überschuss.',
    },
    late: {
      accept: 'Geld, das bis zu {window} nach der Frist eingeht, zählt noch.',
      credit:
        'Geld, das nach der Frist eingeht, schließt die Zahlung nicht ab; bis zu {window} danach wird es Ihr Guthaben beim Shop.',
      refund:
        'Geld, das nach der Frist eingeht, schließt die Zahlung nicht ab; bis zu {window} danach wird es an die angegebene Adresse zurückgesendet.',
      review: 'Geht Geld nach der Frist ein, entscheidet ein Mensch beim Shop darüber.',
    },
  },
  notes: {
    underpaid: 'Es ist weniger als der Preis eingegangen.',
    overpaid: 'Es ist mehr als der Preis eingegangen.',
    late: 'Eine Transaktion kam nach der Frist.',
    multiple: {
      one: 'Für diese Zahlung wurde {count} Transaktion gesehen.',
      other: 'Für diese Zahlung wurden {count} Transaktionen gesehen.',
    },
    mixed: 'Es sind verschiedene Coins; es zählt, was sie wert sind.',
    tolerated: 'Der Betrag weicht ein wenig vom Preis ab, in dem Rahmen, den der Shop akzeptiert.',
    accepted: 'Der Betrag wurde von Hand akzeptiert.',
    refunded: 'Das Geld wurde zurückgesendet.',
    partlyRefunded: 'Ein Teil des Geldes wurde zurückgesendet.',
    credited: 'Geld aus dieser Zahlung wurde Ihr Guthaben beim Shop.',
    conflict: 'Die Angaben zu dieser Zahlung stimmen nicht überein; das muss geprüft werden.',
    sandbox: 'Sandbox: Es wird kein echtes Geld bewegt.',
  },
  past: {
    known: 'Wie es um {time} bekannt war.',
    learned: 'Eine Transaktion war um {seen} vom Netzwerk gesehen worden; hier wurde sie um {known} bekannt.',
  },
  again: 'Erneut prüfen',
  back: 'Zurück zum Shop',
  language: 'Sprache',
  unknown: {
    heading: 'Hier gibt es keine Zahlung',
    lead: 'Prüfen Sie, ob der Link vollständig ist, oder bitten Sie den Shop noch einmal darum.',
  },
};
