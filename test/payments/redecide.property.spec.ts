import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { foldAll } from './given.js';
import { redecide } from '../../src/payments/redecide.js';
import { outcomeOf } from '../../src/payments/outcome.js';
import type { Payment, PaymentEvent } from '../../src/payments/payment.js';
import { lives } from './lifecycle-acts.js';
import { liveOn } from './lifecycle-model.js';
import { seed } from './seed.js';

describe('A history that is decided anew by its own rules', () => {
  it('comes to what it had come to, whatever happened in it', () => {
    fc.assert(
      fc.property(lives, (life) => {
        const moments: PaymentEvent[][] = [];
        const names: string[] = [];
        let first: Payment | null = null;
        const { payment } = liveOn(life, (step) => {
          first ??= step.before;
          if (step.events.length > 0) moments.push(step.events);
          if (step.events.length > 0) names.push(`${step.name}: ${step.events.map(({ type }) => type).join(' ')}`);
        });
        const { terms } = payment;
        const requested: PaymentEvent = { type: 'PaymentRequested', data: terms };
        const anew = redecide([[requested], ...moments], null);
        try {
          expect(outcomeOf(anew)).toEqual(outcomeOf(payment));
        } catch (error) {
          throw new Error([String(error), ...names].join('\n'));
        }
        expect(foldAll([requested, ...moments.flat()])).toEqual(payment);
      }),
      { numRuns: 5000, seed },
    );
  }, 120_000);
});
