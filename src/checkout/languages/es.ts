import type { Texts } from './texts.js';

export const es: Texts = {
  payment: 'Pago',
  stories: {
    opening: {
      heading: 'Preparando su pago',
      lead: 'El pago se está preparando. Podrá pagar en un momento.',
      longer:
        'Normalmente tarda unos segundos. Si tarda más, vuelva a esta página más tarde; no envíe nada antes, por favor.',
    },
    awaiting: {
      heading: 'Esperando su pago',
      lead: 'Todavía no se ha visto ninguna transacción. Suele aparecer aquí en menos de un minuto tras enviarla.',
      longer:
        'Compruebe en su monedero si la transacción se envió de verdad, a la dirección correcta y por la red correcta. Una red saturada puede tardar más; por favor, no la envíe dos veces.',
    },
    elsewhere: {
      heading: 'Ha llegado una parte del importe',
      lead: 'La parte que falta se cobra con otro pago de su pedido; por favor, pague ese.',
      longer: 'Cuando el otro pago esté completo, este continuará por sí solo.',
    },
    partial: {
      heading: 'Ha llegado una parte del importe',
      lead: 'Envíe la parte que falta para completar el pago, por favor.',
      longer:
        'Si ya ha enviado el resto, aparecerá aquí en cuanto la red lo transmita; por favor, no lo envíe dos veces.',
    },
    overdue: {
      heading: 'El plazo para pagar ha terminado',
      lead: 'Por favor, no pague nada más por este pago.',
      longer:
        'Si ya ha enviado dinero, guarde esta página: muestra si se ha visto. En caso de duda, pregunte a la tienda.',
    },
    detected: {
      heading: 'Vemos su transacción',
      lead: 'Está en la red y espera su primera confirmación. No tiene que hacer nada más.',
      longer:
        'La rapidez de la confirmación depende de la red y de la comisión pagada. Por favor, no la envíe otra vez.',
    },
    confirming: {
      heading: 'Su transacción se está confirmando',
      lead: 'No tiene que hacer nada más. Puede cerrar esta página; se avisará a la tienda.',
      longer: 'La rapidez de la confirmación depende de la red. Por favor, no la envíe otra vez.',
    },
    checking: {
      heading: 'Su pago ha llegado y se está comprobando',
      lead: 'Se hace una última comprobación antes de darlo por completo. No tiene que hacer nada más.',
      longer: 'Si la comprobación no termina por sí sola, la tienda lo revisará. Por favor, no pague otra vez.',
    },
    settled: {
      heading: 'Pagado',
      lead: 'Su pago está completo. Gracias.',
      longer: 'Si echa algo en falta, pregunte a la tienda: ella también ve este pago.',
    },
    refunding: {
      heading: 'Su dinero está de vuelta en camino',
      lead: 'Este pago se está devolviendo. Por favor, no lo pague otra vez.',
      longer: 'El tiempo depende de la red. Si no le llega el dinero, pregunte a la tienda.',
    },
    refunded: {
      heading: 'Se ha devuelto dinero',
      lead: 'Se ha devuelto dinero de este pago. Por favor, no lo pague otra vez.',
      longer: 'Si no le ha llegado el dinero, pregunte a la tienda.',
    },
    in_review: {
      heading: 'Una persona está revisando su pago',
      lead: 'Se ha visto su dinero. La tienda decidirá qué ocurre ahora; por favor, no pague otra vez.',
      longer: 'El tiempo depende de la tienda. Si no tiene noticias, pregúntele.',
    },
    closed: {
      heading: 'Este pago está cerrado',
      lead: 'Por favor, no pague nada más por él. Si todavía quiere comprar, pida a la tienda un pago nuevo.',
      longer: 'Si aun así ha enviado dinero, pregunte a la tienda.',
    },
    rejected: {
      heading: 'Este pago no fue aceptado',
      lead: 'La tienda ha decidido no completarlo. Por favor, no pague nada más por él.',
      longer: 'Lo que ocurra con su dinero depende de la tienda; pregúntele.',
    },
  },
  steps: {
    label: 'Cómo va el pago',
    seen: 'Vista',
    confirming: 'Confirmación',
    complete: 'Completo',
    notSeen: 'Aún no se ha visto',
    seenCount: {
      one: '{count} transacción vista',
      many: '{count} transacciones vistas',
      other: '{count} transacciones vistas',
    },
    notYet: 'Todavía no',
    notNeeded: 'No hace falta',
    confirmed: 'Confirmada',
    unconfirmed: 'Aún sin confirmar',
    confirmationsOf: {
      one: '{count} de {needed} confirmación',
      many: '{count} de {needed} confirmaciones',
      other: '{count} de {needed} confirmaciones',
    },
    confirmationsSoFar: {
      one: '{count} confirmación hasta ahora',
      many: '{count} confirmaciones hasta ahora',
      other: '{count} confirmaciones hasta ahora',
    },
    done: 'Listo',
    checking: 'En comprobación',
    waitsForShop: 'Decide la tienda',
    closed: 'Cerrado',
    givenBack: 'Devuelto',
  },
  facts: {
    byCredit: 'Pagado con su saldo',
    leftToPay: 'Queda por pagar',
    received: 'Recibido',
    missing: 'Todavía falta',
    timeLeft: 'Tiempo restante',
    until: 'hasta {time} UTC',
    about: 'unos {amount}',
    counting: 'se está contando',
    credited: 'Abonado a su saldo',
    creditedHow: 'la tienda lo guarda para su próxima compra',
    refunded: 'Devuelto a usted',
    refunding: 'De vuelta en camino',
    refundHow: 'a la dirección indicada',
    withShop: 'En la tienda',
    withShopHow: 'se ha visto; la tienda le dirá qué ocurre con ello',
  },
  pay: {
    title: 'Cómo pagar',
    now: 'Pagar ahora',
    scan: 'Código QR de la dirección',
    address: 'Dirección',
    network: 'Red',
    memo: 'Memo (etiqueta)',
    memoWarning: 'Indique este memo en su transacción. Sin él no se puede asignar su dinero y puede perderse.',
    amount: 'Importe',
    amountIn: '{amount}, a pagar en {currency}',
    only: 'Envíe solo {currency} por esta red: {network}. Cualquier otra cosa puede perderse.',
    copy: 'Copiar',
    copied: 'Copiado',
  },
  transactions: {
    title: 'Transacciones',
    failed: 'Fallida; no cuenta',
    late: 'Después del plazo',
    id: 'ID de la transacción',
    explorer: 'Verla en la red',
    newWindow: 'se abre en una ventana nueva',
  },
  longer: 'Si tarda más',
  policy: {
    title: 'Si el importe o el plazo no encajan',
    lessTolerated: 'Se acepta hasta un {percent} % menos que el precio.',
    less: {
      reject: 'Si llega de menos dentro del plazo, el pago se cierra; la tienda le dirá qué ocurre con ese dinero.',
      credit: 'Si llega de menos dentro del plazo, el pago se cierra y lo que llegó pasa a ser su saldo en la tienda.',
      review: 'Si llega de menos dentro del plazo, decide una persona de la tienda.',
    },
    moreTolerated: 'Hasta un {percent} % más que el precio se queda en la tienda.',
    more: {
      keep: 'Si envía de más, el exceso se queda en la tienda.',
      credit: 'Si envía de más, el exceso pasa a ser su saldo en la tienda.',
      refund: 'Si envía de más, el exceso se devuelve a la dirección indicada.',
      review: 'Si envía de más, una persona de la tienda decide sobre el exceso.',
    },
    late: {
      accept: 'El dinero que llega hasta {window} después del plazo todavía cuenta.',
      credit:
        'El dinero que llega después del plazo no completa el pago; durante {window} pasa a ser su saldo en la tienda.',
      refund:
        'El dinero que llega después del plazo no completa el pago; durante {window} se devuelve a la dirección indicada.',
      review: 'Si llega dinero después del plazo, una persona de la tienda decide sobre él.',
    },
  },
  notes: {
    underpaid: 'Ha llegado menos que el precio.',
    overpaid: 'Ha llegado más que el precio.',
    late: 'Una transacción llegó después del plazo.',
    multiple: {
      one: 'Se ha visto {count} transacción para este pago.',
      many: 'Se han visto {count} transacciones para este pago.',
      other: 'Se han visto {count} transacciones para este pago.',
    },
    mixed: 'Son de monedas distintas; cuenta lo que valen.',
    tolerated: 'El importe difiere un poco del precio, dentro de lo que acepta la tienda.',
    accepted: 'El importe se aceptó a mano.',
    refunded: 'El dinero se ha devuelto.',
    partlyRefunded: 'Una parte del dinero se ha devuelto.',
    credited: 'Dinero de este pago pasó a ser su saldo en la tienda.',
    conflict: 'Los datos sobre este pago no coinciden; hay que comprobarlos.',
    sandbox: 'Sandbox: no se mueve dinero real.',
  },
  past: {
    known: 'Según se sabía en este momento: {time}.',
    learned: 'La red había visto una transacción en este momento: {seen}; aquí se supo en este: {known}.',
  },
  again: 'Comprobar otra vez',
  back: 'Volver a la tienda',
  language: 'Idioma',
  unknown: {
    heading: 'Aquí no hay ningún pago',
    lead: 'Compruebe si el enlace está completo o pídalo de nuevo a la tienda.',
  },
};
