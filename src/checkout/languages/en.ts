import type { Texts } from './texts.js';

export const en: Texts = {
  payment: 'Payment',
  stories: {
    opening: {
      heading: 'Preparing your payment',
      lead: 'The payment is being set up. You can pay in a moment.',
      longer:
        'Usually this takes seconds. If it takes longer, come back to this page later; please send nothing before.',
    },
    awaiting: {
      heading: 'Waiting for your payment',
      lead: 'No transaction was seen yet. It usually shows up here within a minute of being sent.',
      longer:
        'Look into your wallet whether the transaction was really sent, to the right address and on the right network. A busy network can take longer to pass it on; please do not send it twice.',
    },
    elsewhere: {
      heading: 'Part of the amount arrived',
      lead: 'The missing part is collected by another payment of your order; please pay that one.',
      longer: 'When the other payment is complete, this one goes on by itself.',
    },
    partial: {
      heading: 'Part of the amount arrived',
      lead: 'Please send the missing part to complete the payment.',
      longer:
        'If you have sent the rest already, it shows up here as soon as the network passes it on; please do not send it twice.',
    },
    overdue: {
      heading: 'The time to pay is over',
      lead: 'Please do not pay any more for it.',
      longer:
        'If you have sent money already, keep this page: it shows whether it was seen. If in doubt, ask the shop.',
    },
    detected: {
      heading: 'We see your transaction',
      lead: 'It is on the network and waits for its first confirmation. There is nothing more for you to do.',
      longer:
        'How fast it is confirmed depends on the network and on the fee that was paid. Please do not send it again.',
    },
    confirming: {
      heading: 'Your transaction is confirming',
      lead: 'There is nothing more for you to do. You may close this page; the shop will be told.',
      longer: 'How fast it is confirmed depends on the network. Please do not send it again.',
    },
    checking: {
      heading: 'Your payment arrived and is being checked',
      lead: 'A last check is running before it counts as complete. There is nothing more for you to do.',
      longer: 'If the check does not end by itself, the shop will look at it. Please do not pay again.',
    },
    settled: {
      heading: 'Paid',
      lead: 'Your payment is complete. Thank you.',
      longer: 'If you miss something, ask the shop: it sees this payment too.',
    },
    refunding: {
      heading: 'Your money is on its way back',
      lead: 'This payment is being refunded. Please do not pay it again.',
      longer: 'How long it takes depends on the network. If you miss the money, ask the shop.',
    },
    refunded: {
      heading: 'Money was given back',
      lead: 'Money of this payment was given back. Please do not pay it again.',
      longer: 'If you miss the money, ask the shop.',
    },
    in_review: {
      heading: 'A person is looking at your payment',
      lead: 'Your money was seen. The shop will decide what happens next; please do not pay again.',
      longer: 'How long this takes is up to the shop. If you do not hear from it, ask there.',
    },
    closed: {
      heading: 'This payment is closed',
      lead: 'Please do not pay any more for it. Ask the shop for a new payment if you still want to buy.',
      longer: 'If you have sent money all the same, ask the shop.',
    },
    rejected: {
      heading: 'This payment was not accepted',
      lead: 'The shop has decided not to complete it. Please do not pay any more for it.',
      longer: 'What happens to your money is up to the shop; ask there.',
    },
  },
  steps: {
    label: 'How far the payment is',
    seen: 'Seen',
    confirming: 'Confirming',
    complete: 'Complete',
    notSeen: 'Not seen yet',
    seenCount: { one: '{count} transaction seen', other: '{count} transactions seen' },
    notYet: 'Not yet',
    notNeeded: 'Not needed',
    confirmed: 'Confirmed',
    unconfirmed: 'Not confirmed yet',
    confirmationsOf: { one: '{count} of {needed} confirmation', other: '{count} of {needed} confirmations' },
    confirmationsSoFar: { one: '{count} confirmation so far', other: '{count} confirmations so far' },
    done: 'Done',
    checking: 'Being checked',
    waitsForShop: 'The shop decides',
    closed: 'Closed',
    givenBack: 'Refunded',
  },
  facts: {
    byCredit: 'Paid by your credit',
    leftToPay: 'Left to pay',
    received: 'Received',
    missing: 'Still missing',
    timeLeft: 'Time left',
    until: 'until {time} UTC',
    about: 'about {amount}',
    counting: 'being counted',
    credited: 'Credited to you',
    creditedHow: 'the shop keeps it for your next purchase',
    refunded: 'Sent back to you',
    refunding: 'On its way back',
    refundHow: 'to the address that was given',
    withShop: 'With the shop',
    withShopHow: 'it was seen; the shop will tell you what happens to it',
  },
  pay: {
    title: 'How to pay',
    now: 'Pay now',
    scan: 'QR code of the address',
    address: 'Address',
    network: 'Network',
    memo: 'Memo (tag)',
    memoWarning: 'Give this memo with your transaction. Without it your money cannot be matched and may be lost.',
    amount: 'Amount',
    amountIn: '{amount}, paid in {currency}',
    only: 'Send only {currency} on this network: {network}. Anything else may be lost.',
    copy: 'Copy',
    copied: 'Copied',
  },
  transactions: {
    title: 'Transactions',
    failed: 'Failed; it does not count',
    late: 'After the deadline',
    id: 'Transaction id',
    explorer: 'See it on the network',
    newWindow: 'opens in a new window',
  },
  longer: 'If it takes longer',
  policy: {
    title: 'If amount or time do not fit',
    lessTolerated: 'Up to {percent}% less than the price is accepted.',
    less: {
      reject:
        'If too little arrives by the deadline, the payment is closed; the shop will tell you what happens to that money.',
      credit:
        'If too little arrives by the deadline, the payment is closed and what arrived becomes your credit at the shop.',
      review: 'If too little arrives by the deadline, a person at the shop decides.',
    },
    moreTolerated: 'Up to {percent}% more than the price stays with the shop.',
    more: {
      keep: 'If you send too much, the excess stays with the shop.',
      credit: 'If you send too much, the excess becomes your credit at the shop.',
      refund: 'If you send too much, the excess is sent back to the address that was given.',
      review: 'If you send too much, a person at the shop decides about the excess.',
    },
    late: {
      accept: 'Money that arrives up to {window} after the deadline still counts.',
      credit:
        'Money that arrives after the deadline does not complete the payment; for {window} it becomes your credit at the shop.',
      refund:
        'Money that arrives after the deadline does not complete the payment; for {window} it is sent back to the address that was given.',
      review: 'If money arrives after the deadline, a person at the shop decides about it.',
    },
  },
  notes: {
    underpaid: 'Less than the price arrived.',
    overpaid: 'More than the price arrived.',
    late: 'A transaction came after the deadline.',
    multiple: {
      one: '{count} transaction was seen for this payment.',
      other: '{count} transactions were seen for this payment.',
    },
    mixed: 'They are of different coins; what counts is what they are worth.',
    tolerated: 'The amount differs a little from the price, within what the shop accepts.',
    accepted: 'The amount was accepted by hand.',
    refunded: 'The money was sent back.',
    partlyRefunded: 'A part of the money was sent back.',
    credited: 'Money of this payment became your credit at the shop.',
    conflict: 'What is reported about this payment does not agree; it has to be checked.',
    sandbox: 'Sandbox: no real money moves.',
  },
  past: {
    known: 'As it was known at {time}.',
    learned: 'A transaction had been seen by the network at {seen}; it became known here at {known}.',
  },
  again: 'Check again',
  back: 'Back to the shop',
  language: 'Language',
  unknown: {
    heading: 'There is no payment here',
    lead: 'Check whether the link is complete, or ask the shop for it again.',
  },
};
