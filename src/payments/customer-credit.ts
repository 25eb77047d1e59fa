/**
 * The port to what customers have to their credit with an application: what a payment needs of it. One adapter exists
 * (`customers/`).
 */
export abstract class CustomerCredit {
  /**
   * Takes what there is, `atMost` at the most, for one payment. Asked again for the same payment it takes nothing more
   * and answers as before. Returns the amount taken, a plain decimal; `"0"` where the customer has none.
   */
  abstract spend(request: CreditRequest, cause: CreditCause): Promise<string>;
}

export interface CreditRequest {
  applicationId: string;
  customerId: string;
  currency: string;
  paymentId: string;
  atMost: string;
}

/** Why something happens: who acts, and which message, request or event made them. Ids are UUIDs. */
export interface CreditCause {
  actor: string;
  correlationId: string;
  causationId: string;
}
