import type { Texts } from './texts.js';

export const fr: Texts = {
  payment: 'Paiement',
  stories: {
    opening: {
      heading: 'Préparation de votre paiement',
      lead: 'Le paiement est en cours de préparation. Vous pourrez payer dans un instant.',
      longer:
        'Cela prend en général quelques secondes. Si c’est plus long, revenez plus tard sur cette page ; n’envoyez rien avant.',
    },
    awaiting: {
      heading: 'En attente de votre paiement',
      lead: 'Aucune transaction n’a encore été vue. Elle apparaît ici en général moins d’une minute après l’envoi.',
      longer:
        'Vérifiez dans votre portefeuille que la transaction a bien été envoyée, à la bonne adresse et sur le bon réseau. Un réseau chargé peut demander plus de temps ; ne l’envoyez pas deux fois.',
    },
    elsewhere: {
      heading: 'Une partie du montant est arrivée',
      lead: 'La partie manquante est demandée par un autre paiement de votre commande ; veuillez régler celui-là.',
      longer: 'Lorsque l’autre paiement sera terminé, celui-ci continuera tout seul.',
    },
    partial: {
      heading: 'Une partie du montant est arrivée',
      lead: 'Veuillez envoyer la partie manquante pour terminer le paiement.',
      longer:
        'Si vous avez déjà envoyé le reste, il apparaîtra ici dès que le réseau le transmettra ; ne l’envoyez pas deux fois.',
    },
    overdue: {
      heading: 'Le délai de paiement est écoulé',
      lead: 'Veuillez ne plus rien payer pour ce paiement.',
      longer:
        'Si vous avez déjà envoyé de l’argent, gardez cette page : elle montre s’il a été vu. En cas de doute, demandez à la boutique.',
    },
    detected: {
      heading: 'Nous voyons votre transaction',
      lead: 'Elle est sur le réseau et attend sa première confirmation. Vous n’avez plus rien à faire.',
      longer: 'La rapidité de la confirmation dépend du réseau et des frais payés. Veuillez ne pas la renvoyer.',
    },
    confirming: {
      heading: 'Votre transaction est en cours de confirmation',
      lead: 'Vous n’avez plus rien à faire. Vous pouvez fermer cette page ; la boutique sera informée.',
      longer: 'La rapidité de la confirmation dépend du réseau. Veuillez ne pas la renvoyer.',
    },
    checking: {
      heading: 'Votre paiement est arrivé et est en cours de vérification',
      lead: 'Une dernière vérification a lieu avant qu’il soit considéré comme terminé. Vous n’avez plus rien à faire.',
      longer:
        'Si la vérification ne se termine pas d’elle-même, la boutique l’examinera. Veuillez ne pas payer de nouveau.',
    },
    settled: {
      heading: 'Payé',
      lead: 'Votre paiement est terminé. Merci.',
      longer: 'S’il vous manque quelque chose, demandez à la boutique : elle voit aussi ce paiement.',
    },
    refunding: {
      heading: 'Votre argent vous est renvoyé',
      lead: 'Ce paiement est en cours de remboursement. Veuillez ne pas le payer de nouveau.',
      longer: 'La durée dépend du réseau. Si l’argent n’arrive pas, demandez à la boutique.',
    },
    refunded: {
      heading: 'De l’argent a été rendu',
      lead: 'De l’argent de ce paiement a été rendu. Veuillez ne pas le payer de nouveau.',
      longer: 'Si l’argent n’est pas arrivé, demandez à la boutique.',
    },
    in_review: {
      heading: 'Une personne examine votre paiement',
      lead: 'Votre argent a été vu. La boutique décidera de la suite ; veuillez ne pas payer de nouveau.',
      longer: 'La durée dépend de la boutique. Sans nouvelles de sa part, demandez-lui.',
    },
    closed: {
      heading: 'Ce paiement est clos',
      lead: 'Veuillez ne plus rien payer pour celui-ci. Si vous voulez toujours acheter, demandez un nouveau paiement à la boutique.',
      longer: 'Si vous avez tout de même envoyé de l’argent, demandez à la boutique.',
    },
    rejected: {
      heading: 'Ce paiement n’a pas été accepté',
      lead: 'La boutique a décidé de ne pas le terminer. Veuillez ne plus rien payer pour celui-ci.',
      longer: 'Ce qu’il advient de votre argent dépend de la boutique ; demandez-lui.',
    },
  },
  steps: {
    label: 'Avancement du paiement',
    seen: 'Vue',
    confirming: 'Confirmation',
    complete: 'Terminé',
    notSeen: 'Pas encore vue',
    seenCount: {
      one: '{count} transaction vue',
      many: '{count} transactions vues',
      other: '{count} transactions vues',
    },
    notYet: 'Pas encore',
    notNeeded: 'Pas nécessaire',
    confirmed: 'Confirmée',
    unconfirmed: 'Pas encore confirmée',
    confirmationsOf: {
      one: '{count} confirmation sur {needed}',
      many: '{count} confirmations sur {needed}',
      other: '{count} confirmations sur {needed}',
    },
    confirmationsSoFar: {
      one: '{count} confirmation jusqu’ici',
      many: '{count} confirmations jusqu’ici',
      other: '{count} confirmations jusqu’ici',
    },
    done: 'Fait',
    checking: 'En vérification',
    waitsForShop: 'La boutique décide',
    closed: 'Clos',
    givenBack: 'Remboursé',
  },
  facts: {
    byCredit: 'Payé par votre avoir',
    leftToPay: 'Reste à payer',
    received: 'Reçu',
    missing: 'Il manque encore',
    timeLeft: 'Temps restant',
    until: 'jusqu’au {time} UTC',
    about: 'environ {amount}',
    counting: 'en cours de comptage',
    credited: 'Porté à votre avoir',
    creditedHow: 'la boutique le garde pour votre prochain achat',
    refunded: 'Renvoyé à vous',
    refunding: 'En cours de renvoi',
    refundHow: 'à l’adresse indiquée',
    withShop: 'À la boutique',
    withShopHow: 'il a été vu ; la boutique vous dira ce qu’il en advient',
  },
  pay: {
    title: 'Comment payer',
    now: 'Payer maintenant',
    scan: 'Code QR de l’adresse',
    address: 'Adresse',
    network: 'Réseau',
    memo: 'Mémo (tag)',
    memoWarning:
      'Indiquez ce mémo dans votre transaction. Sans lui, votre argent ne peut pas être attribué et peut être perdu.',
    amount: 'Montant',
    amountIn: '{amount}, à payer en {currency}',
    only: 'Envoyez uniquement {currency} sur ce réseau : {network}. Tout autre envoi peut être perdu.',
    copy: 'Copier',
    copied: 'Copié',
  },
  transactions: {
    title: 'Transactions',
    failed: 'Échouée ; elle ne compte pas',
    late: 'Après le délai',
    id: 'ID de la transaction',
    explorer: 'La voir sur le réseau',
    newWindow: 's’ouvre dans une nouvelle fenêtre',
  },
  longer: 'Si cela prend plus de temps',
  policy: {
    title: 'Si le montant ou le délai ne convient pas',
    lessTolerated: 'Jusqu’à {percent} % de moins que le prix est accepté.',
    less: {
      reject:
        'S’il arrive trop peu dans le délai, le paiement est clos ; la boutique vous dira ce qu’il advient de cet argent.',
      credit:
        'S’il arrive trop peu dans le délai, le paiement est clos et ce qui est arrivé devient votre avoir à la boutique.',
      review: 'S’il arrive trop peu dans le délai, une personne de la boutique décide.',
    },
    moreTolerated: 'Jusqu’à {percent} % de plus que le prix reste à la boutique.',
    more: {
      keep: 'Si vous envoyez trop, l’excédent reste à la boutique.',
      credit: 'Si vous envoyez trop, l’excédent devient votre avoir à la boutique.',
      refund: 'Si vous envoyez trop, l’excédent est renvoyé à l’adresse indiquée.',
      review: 'Si vous envoyez trop, une personne de la boutique décide de l’excédent.',
    },
    late: {
      accept: 'L’argent qui arrive jusqu’à {window} après le délai compte encore.',
      credit:
        'L’argent qui arrive après le délai ne termine pas le paiement ; pendant {window}, il devient votre avoir à la boutique.',
      refund:
        'L’argent qui arrive après le délai ne termine pas le paiement ; pendant {window}, il est renvoyé à l’adresse indiquée.',
      review: 'Si de l’argent arrive après le délai, une personne de la boutique en décide.',
    },
  },
  notes: {
    underpaid: 'Il est arrivé moins que le prix.',
    overpaid: 'Il est arrivé plus que le prix.',
    late: 'Une transaction est arrivée après le délai.',
    multiple: {
      one: '{count} transaction a été vue pour ce paiement.',
      many: '{count} transactions ont été vues pour ce paiement.',
      other: '{count} transactions ont été vues pour ce paiement.',
    },
    mixed: 'Elles sont en monnaies différentes ; c’est leur valeur qui compte.',
    tolerated: 'Le montant diffère un peu du prix, dans la limite que la boutique accepte.',
    accepted: 'Le montant a été accepté à la main.',
    refunded: 'L’argent a été renvoyé.',
    partlyRefunded: 'Une partie de l’argent a été renvoyée.',
    credited: 'De l’argent de ce paiement est devenu votre avoir à la boutique.',
    conflict: 'Les informations sur ce paiement ne concordent pas ; il faut les vérifier.',
    sandbox: 'Sandbox : aucun argent réel ne circule.',
  },
  past: {
    known: 'Tel que c’était connu à ce moment : {time}.',
    learned: 'Le réseau avait vu une transaction à ce moment : {seen} ; elle a été connue ici à celui-ci : {known}.',
  },
  again: 'Vérifier à nouveau',
  back: 'Retour à la boutique',
  language: 'Langue',
  unknown: {
    heading: 'Il n’y a pas de paiement ici',
    lead: 'Vérifiez que le lien est complet, ou redemandez-le à la boutique.',
  },
};
