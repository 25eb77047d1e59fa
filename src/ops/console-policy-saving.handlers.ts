import { Inject, Injectable } from '@nestjs/common';
import type { JsonObject } from '../kernel/json.js';
import { Refusal } from '../kernel/refusal.js';
import { Policies, type Definition } from '../payments/policies.pg.js';
import { sameRules } from '../payments/policies.js';
import type { PolicyRules } from '../payments/policy.js';
import type { Application } from '../platform/http/applications.pg.js';
import { actorOf } from './audit-entry.js';
import { Audit } from './audit.pg.js';
import { Operators, type Operator } from './operator.controller.js';
import { reasonLengths } from './policies-save.page.js';
import type { WhatIfForm } from './what-if-form.js';
import { isProofOf, proofOf } from './what-if-proof.js';

/** A what-if that somebody looks at. */
interface LookedAt {
  operator: Operator;
  application: Application;
  policy: string;
  /** The newest version that was seen; 0 for a policy that is to be new. */
  basedOn: number;
  form: WhatIfForm;
}

/** A request to save what was looked at. */
export interface Wanted extends LookedAt {
  requestId: string;
  proof: string;
  reason: string;
}

/** What became of it; everything but `saved` left the policy as it was. */
export type Saving =
  | { kind: 'saved'; version: number }
  /** The form's faults say what is not acceptable. */
  | { kind: 'faults' }
  | { kind: 'reason'; fault: string; rules: PolicyRules }
  /** Nobody saw the what-if of these rules over that version. */
  | { kind: 'unseen' }
  /** The newest version has these rules. */
  | { kind: 'same'; version: number }
  /** Another version was saved meanwhile. */
  | { kind: 'conflict' };

/** Saves policies from the console: the way of `PUT /v1/policies/{name}`, and every try in the operators' record. */
@Injectable()
export class PolicySaving {
  constructor(
    @Inject(Policies) private readonly policies: Policies,
    @Inject(Operators) private readonly operators: Operators,
    @Inject(Audit) private readonly audit: Audit,
  ) {}

  /** What the form that saves carries, so that nothing is saved unseen. */
  proofOf(looked: LookedAt): string {
    return proofOf(this.keyOf(looked.operator), this.lookedOf(looked));
  }

  /** Throws what `Policies.define` throws, but for versions that somebody else saved. */
  async save(wanted: Wanted): Promise<Saving> {
    const { operator, form, proof, reason } = wanted;
    const { asked } = form;
    if (asked === null) return { kind: 'faults' };
    const newest = await this.policies.find(wanted.application.id, wanted.policy);
    // Whoever sends the form twice has saved once.
    if (newest && sameRules(newest.rules, asked.rules)) return { kind: 'same', version: newest.version };
    if (!isProofOf(this.keyOf(operator), this.lookedOf(wanted), proof)) {
      await this.record(wanted, 'refused', { why: 'unseen' });
      return { kind: 'unseen' };
    }
    const fault = faultOf(reason);
    if (fault !== null) return { kind: 'reason', fault, rules: asked.rules };
    const defined = await this.define(wanted, asked.rules);
    if (defined === null) return { kind: 'conflict' };
    return { kind: defined.added ? 'saved' : 'same', version: defined.version };
  }

  /** Null where the newest version is another one than was seen. */
  private async define(wanted: Wanted, rules: PolicyRules): Promise<Definition | null> {
    const { operator, application, policy, basedOn, requestId } = wanted;
    const cause = { actor: actorOf(operator.name), correlationId: requestId, causationId: requestId };
    try {
      const defined = await this.policies.define(application.id, policy, rules, cause, basedOn);
      await this.record(wanted, defined.added ? 'done' : 'refused', {
        version: defined.version,
        ...(defined.added ? {} : { why: 'same_rules' }),
      });
      return defined;
    } catch (error) {
      const changed = error instanceof Refusal && error.code === 'conflict';
      await this.record(wanted, error instanceof Refusal ? 'refused' : 'failed', {
        why: error instanceof Refusal ? error.code : 'internal_error',
      });
      if (changed && (await this.newest(wanted)) !== basedOn) return null;
      throw error;
    }
  }

  private async newest({ application, policy }: Wanted): Promise<number> {
    return (await this.policies.find(application.id, policy))?.version ?? 0;
  }

  private record(wanted: Wanted, outcome: 'done' | 'refused' | 'failed', detail: JsonObject): Promise<void> {
    const { operator, application, policy, basedOn, reason, requestId } = wanted;
    return this.audit.record(
      {
        action: 'policy.save',
        actor: operator.name,
        role: operator.role,
        target: { kind: 'policy', id: `${application.name}/${policy}` },
        reason,
        outcome,
        detail: { ...detail, basedOn },
      },
      { correlationId: requestId, causationId: requestId },
    );
  }

  private lookedOf({ operator, application, policy, basedOn, form }: LookedAt) {
    return { session: operator.session, application: application.id, policy, basedOn, typed: form.typed };
  }

  private keyOf({ role }: Operator): Buffer {
    const key = this.operators.keyOf(role);
    if (key === null) throw new Error('somebody is logged in whose role has no password');
    return key;
  }
}

function faultOf(reason: string): string | null {
  const { least, most } = reasonLengths;
  const length = Array.from(reason).length;
  return length >= least && length <= most ? null : `Say why, in ${String(least)} to ${String(most)} characters.`;
}
