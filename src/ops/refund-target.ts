import { isCurrencySymbol, isFiat } from '../kernel/money.js';

/*
 * What people type about where money goes: the rules of the API. An address is not known to be right, only not to be
 * nonsense.
 */

export const isAddress = (text: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._:-]{9,127}$/.test(text);

export const isNetwork = (text: string): boolean => /^[A-Za-z][A-Za-z0-9]{1,19}$/.test(text);

export const isCoin = (text: string): boolean => isCurrencySymbol(text) && !isFiat(text);

/** Whether it is text on one line, of so many characters at most. */
export const isProse = (text: string | undefined, most: number): text is string =>
  text !== undefined && text.trim() !== '' && text.length <= most && !/[\u0000-\u001f\u007f-\u009f]/.test(text);
