import type { Language } from '../language.js';
import { ar } from './ar.js';
import { de } from './de.js';
import { en } from './en.js';
import { es } from './es.js';
import { fa } from './fa.js';
import { fr } from './fr.js';
import { ru } from './ru.js';
import type { Texts } from './texts.js';
import { tr } from './tr.js';
import { zh } from './zh.js';

const all: Readonly<Record<Language, Texts>> = { en, tr, es, de, fr, ar, fa, ru, zh };

export const textsIn = (language: Language): Texts => all[language];
