import { hash as hashOf } from 'node:crypto';

/*
 * The Merkle tree of RFC 6962 (section 2.1): SHA-256, a leaf's hash over 0x00 and its bytes, a node's over 0x01 and its
 * two children. Built level by level, where a last node without a neighbour moves up as it is, which gives the same tree.
 */

export const leafHash = (text: string): Buffer => hashOf('sha256', `\0${text}`, 'buffer');

// One buffer for all nodes, and one call for each: millions are hashed when a store is verified.
const node = Buffer.alloc(65, 1);

function nodeHash(left: Buffer, right: Buffer): Buffer {
  node.set(left, 1);
  node.set(right, 33);
  return hashOf('sha256', node, 'buffer');
}

/** The root over leaf hashes; without leaves, the hash of nothing. */
export function merkleRoot(leaves: readonly Buffer[]): Buffer {
  let level = leaves;
  while (level.length > 1) level = above(level);
  return level[0] ?? hashOf('sha256', '', 'buffer');
}

/** The neighbours that lead from one leaf to the root, lowest first. Throws where there is no such leaf. */
export function inclusionPath(leaves: readonly Buffer[], index: number): Buffer[] {
  if (leaves[index] === undefined) throw new RangeError(`there is no leaf ${String(index)}`);
  const path: Buffer[] = [];
  let at = index;
  for (let level = leaves; level.length > 1; level = above(level)) {
    const neighbour = level[at ^ 1];
    if (neighbour) path.push(neighbour);
    at >>= 1;
  }
  return path;
}

/** The root that a leaf and its path lead to in a tree of `size` leaves; null where the path cannot be one. */
export function rootOf(leaf: Buffer, index: number, size: number, path: readonly Buffer[]): Buffer | null {
  if (!(index >= 0 && index < size)) return null;
  let hash = leaf;
  let at = index;
  let used = 0;
  for (let width = size; width > 1; width = (width + 1) >> 1) {
    if ((at ^ 1) < width) {
      const neighbour = path[used++];
      if (!neighbour) return null;
      hash = at % 2 === 1 ? nodeHash(neighbour, hash) : nodeHash(hash, neighbour);
    }
    at >>= 1;
  }
  return used === path.length ? hash : null;
}

function above(level: readonly Buffer[]): Buffer[] {
  const next: Buffer[] = [];
  for (let at = 0; at < level.length; at += 2) {
    const [left, right] = [level[at], level[at + 1]];
    if (left) next.push(right ? nodeHash(left, right) : left);
  }
  return next;
}
