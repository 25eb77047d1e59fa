import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { bytesArray, jsonLines, plainArray, textArray } from '../../../src/platform/event-store/array-literal.js';
import { testDatabase, type TestDatabase } from '../../support/database.js';

describe('An array as PostgreSQL reads it', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await testDatabase();
  });
  afterAll(() => database.drop());

  const read = async <T>(expression: string, literal: string): Promise<T[]> => {
    const { rows } = await database.pool.query<{ value: T }>(
      `select value from unnest(${expression}) with ordinality t (value, n) order by n`,
      [literal],
    );
    return rows.map(({ value }) => value);
  };
  const orNull = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<(T | null)[]> =>
    fc.array(fc.option(values, { freq: 4 }), { maxLength: 20 });
  // PostgreSQL stores no U+0000 and no lone surrogate; both are refused before they come here.
  const text = fc.string({ unit: 'binary' }).map((value) => value.replaceAll('\0', '').replace(/\p{Surrogate}/gu, ''));
  const hostile = fc.oneof(
    text,
    fc.constantFrom('', 'NULL', 'null', '{', '}', ',', '"', '\\', '\\"', ' a ', '\n', "'"),
  );

  it('gives every text back, whatever is in it', async () => {
    await fc.assert(
      fc.asyncProperty(orNull(hostile), async (values) => {
        expect(await read('$1::text[]', textArray(values))).toEqual(values);
      }),
      { numRuns: 200, seed: 7 },
    );
  });

  it('gives bytes, numbers and ids back', async () => {
    await fc.assert(
      fc.asyncProperty(
        orNull(fc.uint8Array({ maxLength: 40 })),
        orNull(fc.integer()),
        orNull(fc.uuid()),
        async (...given) => {
          const [bytes, numbers, ids] = given;
          const buffers = bytes.map((value) => value && Buffer.from(value));
          expect(await read('$1::bytea[]', bytesArray(buffers))).toEqual(buffers);
          expect(await read('$1::integer[]', plainArray(numbers))).toEqual(numbers);
          expect(await read('$1::uuid[]', plainArray(ids))).toEqual(ids);
        },
      ),
      { numRuns: 100, seed: 7 },
    );
  });

  it('gives JSON back to the byte, line by line', async () => {
    const json = fc.json().map((value) => JSON.stringify(JSON.parse(value)).replaceAll('\\u0000', ''));
    await fc.assert(
      fc.asyncProperty(
        orNull(
          fc.oneof(
            json,
            hostile.map((value) => JSON.stringify({ [value]: value })),
          ),
        ),
        async (values) => {
          // Beside another column, as it is used: of a single null alone nothing would be left.
          const beside = `unnest($2::integer[], string_to_array($1, chr(10), '')::json[]) as t (n, value)`;
          const { rows } = await database.pool.query<{ value: string | null }>(
            `select value::text from ${beside} order by n`,
            [jsonLines(values), values.map((_, n) => n)],
          );
          expect(rows.map(({ value }) => value)).toEqual(values);
        },
      ),
      { numRuns: 200, seed: 7 },
    );
  });
});
