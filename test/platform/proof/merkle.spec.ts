import { describe, expect, it } from '@jest/globals';
import { inclusionPath, leafHash, merkleRoot, rootOf } from '../../../src/platform/proof/merkle.js';

/** The leaves and roots that implementations of RFC 6962 are tested with. */
const leaves = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map(
  (hex) => leafHash(Buffer.from(hex, 'hex').toString('latin1')),
);
const roots = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
];

describe('The tree over what a checkpoint seals', () => {
  it('is that of RFC 6962', () => {
    expect(roots.map((_, size) => merkleRoot(leaves.slice(0, size)).toString('hex'))).toEqual(roots);
    expect(merkleRoot(leaves).toString('hex')).toBe('5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328');
  });

  it('leads from every leaf of every size to its root, and by no other place or path', () => {
    for (let size = 1; size <= 40; size++) {
      const some = Array.from({ length: size }, (_, each) => leafHash(String(each)));
      const root = merkleRoot(some);
      for (const [index, leaf] of some.entries()) {
        const path = inclusionPath(some, index);
        expect(rootOf(leaf, index, size, path)).toEqual(root);
        expect(rootOf(leaf, index, size, [...path, root])).toBeNull();
        expect(rootOf(leafHash('another'), index, size, path)).not.toEqual(root);
        if (size === 1) continue;
        expect(rootOf(leaf, (index + 1) % size, size, path)).not.toEqual(root);
        expect(rootOf(leaf, index, size, path.slice(1))).not.toEqual(root);
      }
    }
    expect(rootOf(leafHash('0'), 1, 1, [])).toBeNull();
    expect(() => inclusionPath([], 0)).toThrow(RangeError);
  });
});
