import { planeOffsets, readNpy } from './npy';

/** A file as numpy.save writes it, format 1.0. */
function npy(descr: string, shape: string, data: ArrayBuffer, fortran = 'False'): Uint8Array {
  let header = `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': (${shape}), }`;
  header = header.padEnd(118 - 1) + '\n';
  const bytes = new Uint8Array(10 + header.length + data.byteLength);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0]);
  bytes.set(
    [...header].map((c) => c.charCodeAt(0)),
    10
  );
  bytes.set(new Uint8Array(data), 10 + header.length);
  return bytes;
}

describe('readNpy', () => {
  it('reads shape, type and elements', () => {
    const array = readNpy(npy('|u1', '2, 3', new Uint8Array([1, 2, 3, 4, 5, 6]).buffer));
    expect(array).toMatchObject({ dtype: 'u1', shape: [2, 3], strides: [3, 1], size: 6 });
    expect(array.at(4)).toBe(5);
  });

  it('reads both byte orders', () => {
    const data = new DataView(new ArrayBuffer(16));
    data.setFloat64(0, 1.5, true);
    data.setFloat64(8, -2.25, true);
    expect(readNpy(npy('<f8', '2,', data.buffer)).at(1)).toBe(-2.25);
    data.setFloat64(8, -2.25, false);
    expect(readNpy(npy('>f8', '2,', data.buffer)).at(1)).toBe(-2.25);
    data.setBigInt64(0, -7n, true);
    expect(readNpy(npy('<i8', '', data.buffer)).at(0)).toBe(-7);
  });

  it('finds the pictures of an array in either order of axes', () => {
    const data = new Uint8Array(24).buffer;
    expect(planeOffsets(readNpy(npy('|u1', '4, 2, 3', data)), 9)).toEqual([0, 6, 12, 18]);
    expect(planeOffsets(readNpy(npy('|u1', '4, 2, 3', data)), 2)).toEqual([0, 6]);
    expect(planeOffsets(readNpy(npy('|u1', '4, 2, 3', data, 'True')), 9)).toEqual([0, 1, 2, 3]);
    expect(planeOffsets(readNpy(npy('|u1', '2, 2, 2, 3', data)), 9)).toEqual([0, 6, 12, 18]);
  });

  it.each([
    ['no array', new Uint8Array([1, 2, 3]), 'not a numpy array file'],
    ['a cut one', npy('<f8', '9', new ArrayBuffer(8)), 'ends before'],
    ['objects', npy('|O', '1', new ArrayBuffer(8)), 'cannot be shown'],
    ['complex numbers', npy('<c16', '1', new ArrayBuffer(16)), 'type c16']
  ])('says what is wrong with %s', (_, bytes, problem) => {
    expect(() => readNpy(bytes)).toThrow(problem);
  });
});
