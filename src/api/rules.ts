import { registerDecorator, type ValidationOptions } from 'class-validator';
import { readInstant } from '../kernel/clock.js';
import { isUuid } from '../kernel/ids.js';
import { isCurrencySymbol, isFiat, isPlainDecimal } from '../kernel/money.js';
import { isConfirmationCount, isLateWindow, isPolicyName, isTolerance, policyNameRule } from '../payments/policies.js';
import { Decimal } from '../payments/decimal.js';

/** `object` is what the value is a member of. */
type Check = (value: unknown, object: object) => boolean;

const rule =
  (name: string, message: string, check: Check) =>
  (options?: ValidationOptions): PropertyDecorator =>
  (target, property) => {
    registerDecorator({
      name,
      target: target.constructor,
      propertyName: String(property),
      options: { message, ...options },
      validator: { validate: (value: unknown, context) => check(value, context?.object ?? {}) },
    });
  };

/** A positive plain decimal string. */
export const IsAmount = rule(
  'isAmount',
  'must be a positive decimal as a string, such as "49.90": at most 18 digits before and 18 after the point, no sign, no exponent',
  (value) => typeof value === 'string' && isPlainDecimal(value) && new Decimal(value).gt('0'),
);

export const IsCurrency = rule(
  'isCurrency',
  'must be a currency symbol in capitals, such as USD or USDT',
  (value) => typeof value === 'string' && isCurrencySymbol(value),
);

/** An address on some chain: every known form is of letters, digits and a few signs. Whether it exists is the gateway's to say. */
export const IsAddress = rule(
  'isAddress',
  'must be an address on its network: 10 to 128 letters, digits or . _ : -',
  (value) => typeof value === 'string' && /^[A-Za-z0-9][A-Za-z0-9._:-]{9,127}$/.test(value),
);

export const IsNetwork = rule(
  'isNetwork',
  'must be the code of a network, such as TRON or BEP20',
  (value) => typeof value === 'string' && /^[A-Za-z][A-Za-z0-9]{1,19}$/.test(value),
);

export const IsCoin = rule(
  'isCoin',
  'must be the symbol of a coin in capitals, such as USDT',
  (value) => typeof value === 'string' && isCurrencySymbol(value) && !isFiat(value),
);

/** A tolerance: 60 is the most that the gateway takes for a shortage. `why` ends the sentence of a refusal. */
export const IsPercent = (why: string): PropertyDecorator =>
  rule(
    'isPercent',
    `must be a percentage as a string, from "0" to "60", with two decimals at most, no sign and no exponent: ${why}`,
    isTolerance,
  )();

export const IsDuration = rule(
  'isDuration',
  'must be an ISO 8601 duration of whole days, hours and minutes, such as "PT72H", of 30 days at most: there has to be an end to it',
  isLateWindow,
);

const controls = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** Whether `text` holds characters that no reference of a caller may hold, and no database can. */
export const hasControls = (text: string): boolean => controls.test(text);

export const IsInstant = rule(
  'isInstant',
  'must be an RFC 3339 time such as 2026-01-31T12:00:00Z',
  (value) => typeof value === 'string' && readInstant(value) !== null,
);

export const IsVersionOrInstant = rule(
  'isVersionOrInstant',
  'must be an RFC 3339 time or an event version',
  (value) => {
    return typeof value === 'string' && (/^[1-9]\d{0,8}$/.test(value) || readInstant(value) !== null);
  },
);

export const IsId = rule(
  'isId',
  'must be an id: a UUID in lower case',
  (value) => typeof value === 'string' && isUuid(value),
);

export const NoControls = rule(
  'noControls',
  'must not contain control characters',
  (value) => typeof value === 'string' && !controls.test(value),
);

/** An address that a payer's browser may be sent to: no scripts, no credentials. Whether http is allowed is the caller's to say. */
export const IsReturnUrl = rule(
  'isReturnUrl',
  'must be an absolute https URL of at most 2,048 characters, without credentials',
  (value) => {
    if (typeof value !== 'string' || value.length > 2048 || controls.test(value) || !URL.canParse(value)) return false;
    const { protocol, username, password, hostname } = new URL(value);
    const local = protocol === 'http:' && (hostname === 'localhost' || hostname === '127.0.0.1');
    return (protocol === 'https:' || local) && username === '' && password === '';
  },
);

export const IsMetadata = rule(
  'isMetadata',
  'must be an object of at most 20 strings: keys up to 40 characters, values up to 500, no control characters',
  (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    const entries = Object.entries(value);
    return (
      entries.length <= 20 &&
      entries.every(
        ([key, text]) =>
          /^[\w.-]{1,40}$/.test(key) && typeof text === 'string' && text.length <= 500 && !controls.test(text),
      )
    );
  },
);

export const IsPolicy = rule(
  'isPolicy',
  `must be the name of a policy (${policyNameRule}) or the rules of one as an object`,
  (value) =>
    typeof value === 'string'
      ? isPolicyName(value)
      : typeof value === 'object' && value !== null && !Array.isArray(value),
);

/** Whether a `paidWhen` has a rule that counts nothing. */
const isCountless = (paidWhen: object): boolean =>
  'rule' in paidWhen && (paidWhen.rule === 'detected' || paidWhen.rule === 'settled');

/** How many confirmations the rule `confirmations` asks for: with none, money that may still vanish would count. */
export const IsCount = rule(
  'isCount',
  'must be a whole number from 1 to 1000: the confirmations that every transfer needs',
  (value, paidWhen) => isCountless(paidWhen) || isConfirmationCount(value),
);

export const OnlyWithConfirmations = rule(
  'onlyWithConfirmations',
  'goes with the rule "confirmations" only',
  (_, paidWhen) => !isCountless(paidWhen),
);
