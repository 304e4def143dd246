import { objectPath, parseObjectPath } from './object-path';

describe('object paths', () => {
  it.each([
    ['digit-1.npy', 'digit-1.npy'],
    ['sub-01/anat/T1w', 'files/scan 1.nii'],
    ['100%/ü', 'a%2Fb.csv']
  ])('find shard %p and object %p again', (shardKey, path) => {
    const place = { versionId: 'dv-0123456789abcdefghjk', shardKey, path };
    expect(parseObjectPath(objectPath(place).slice('labscale:'.length))).toEqual(place);
  });

  it('name folders by what is missing', () => {
    expect(parseObjectPath('')).toEqual({ versionId: null, shardKey: null, path: null });
    expect(parseObjectPath('dv-1/a%2Fb')).toEqual({ versionId: 'dv-1', shardKey: 'a/b', path: null });
  });
});
