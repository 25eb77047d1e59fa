import { describe, expect, it } from '@jest/globals';
import { isPublicAddress } from '../../src/fulfillment/public-address.js';
import { webhookUrlFault } from '../../src/fulfillment/webhook-url.js';

const live = { sandbox: false, publicUrl: 'https://pay.example.com' };
const sandbox = { ...live, sandbox: true };

describe('A webhook URL outside the sandbox', () => {
  it.each([
    'https://shop.example.org/hooks',
    'https://shop.example.org:443/',
    'https://8.8.8.8/',
    'https://[2606:4700::1111]/x',
    'https://xn--bcher-kva.example/',
  ])('may be %s', (url) => expect(webhookUrlFault(url, live)).toBeNull());

  it.each([
    'http://shop.example.org/',
    'https://shop.example.org:8443/',
    'ftp://shop.example.org/',
    'https://user:pw@shop.example.org/',
    'shop.example.org',
    `https://shop.example.org/${'x'.repeat(2048)}`,
    'https://pay.example.com/loop',
    'https://PAY.example.com./loop',
  ])('is refused: %s', (url) => expect(webhookUrlFault(url, live)).not.toBeNull());

  it.each([
    'https://0x7f.1/',
    'https://2130706433/',
    'https://127.1/',
    'https://0177.0.0.1/',
    'https://①②⑦.0.0.1/',
    'https://127。0。0。1/',
    'https://[::ffff:169.254.169.254]/',
    'https://[::ffff:a9fe:a9fe]/',
    'https://[64:ff9b::7f00:1]/',
    'https://[2002:7f00:1::]/',
    'https://[::7f00:1]/',
    'https://[fd00::1]/',
    'https://[fe80::1]/',
    'https://[5f00::1]/',
    'https://[100::1]/',
    'https://[::1]/',
    'https://[::]/',
    'https://localhost/',
    'https://localhost./',
    'https://a.localhost/',
    'https://metadata.google.internal./',
    'https://example.com@127.0.0.1/',
    'https:\\\\127.0.0.1\\x',
    'https://intranet/',
    'https://printer.local/',
  ])('does not lead inside: %s', (url) => expect(webhookUrlFault(url, live)).not.toBeNull());

  it('is told what it really names', () => {
    // A backslash is a slash to a URL parser, so the host here is the first part.
    expect(webhookUrlFault('https://shop.example.org\\@127.0.0.1/', live)).toBeNull();
    expect(new URL('https://shop.example.org\\@127.0.0.1/').hostname).toBe('shop.example.org');
  });
});

describe('A webhook URL in the sandbox', () => {
  it('may be plain and local, but not carry a password', () => {
    expect(webhookUrlFault('http://127.0.0.1:8080/hooks', sandbox)).toBeNull();
    expect(webhookUrlFault('http://user:pw@127.0.0.1:8080/', sandbox)).not.toBeNull();
  });
});

describe('An address', () => {
  it.each([
    '0.1.2.3',
    '10.0.0.1',
    '100.64.0.1',
    '127.0.0.1',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.8',
    '192.0.2.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.51.100.7',
    '203.0.113.9',
    '224.0.0.1',
    '239.255.255.255',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:8.8.8.8',
    '64:ff9b::808:808',
    '64:ff9b:1::1',
    '2001::1',
    '2001:db8::1',
    '2002:808:808::',
    'fc00::1',
    'fe80::1',
    'fe80::1%eth0',
    'ff02::1',
    'not an address',
    '',
  ])('%s is not public', (address) => expect(isPublicAddress(address)).toBe(false));

  it.each(['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450::1'])('%s is public', (address) =>
    expect(isPublicAddress(address)).toBe(true),
  );
});
