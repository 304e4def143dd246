/** An array as numpy.save wrote it. */
export interface IArray {
  dtype: string;
  shape: number[];
  /** Steps between neighbours of each axis, in elements. */
  strides: number[];
  size: number;
  /** The element at an offset in elements, as a number. */
  at: (offset: number) => number;
}

type Reader = (view: DataView, offset: number, little: boolean) => number;

const readers: Record<string, Reader> = {
  b1: (view, offset) => view.getUint8(offset),
  u1: (view, offset) => view.getUint8(offset),
  i1: (view, offset) => view.getInt8(offset),
  u2: (view, offset, little) => view.getUint16(offset, little),
  i2: (view, offset, little) => view.getInt16(offset, little),
  u4: (view, offset, little) => view.getUint32(offset, little),
  i4: (view, offset, little) => view.getInt32(offset, little),
  u8: (view, offset, little) => Number(view.getBigUint64(offset, little)),
  i8: (view, offset, little) => Number(view.getBigInt64(offset, little)),
  f4: (view, offset, little) => view.getFloat32(offset, little),
  f8: (view, offset, little) => view.getFloat64(offset, little)
};

/** Reads the npy format, versions 1 to 3. Throws an Error that says what is wrong, or which kind it cannot show. */
export function readNpy(bytes: Uint8Array): IArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 10 || String.fromCharCode(...bytes.subarray(1, 6)) !== 'NUMPY') {
    throw new Error('This is not a numpy array file.');
  }
  const wide = (bytes[6] ?? 1) > 1;
  const start = wide ? 12 : 10;
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  const header = new TextDecoder().decode(bytes.subarray(start, start + length));
  // A Python dict, written by numpy in one form only.
  const descr = /'descr':\s*'([<>|=])([a-zA-Z])(\d+)'/.exec(header);
  const fortran = /'fortran_order':\s*True/.test(header);
  const shapeText = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  if (!descr || shapeText === undefined) throw new Error('Arrays of records or objects cannot be shown.');
  const kind = `${descr[2]}${descr[3]}`;
  const read = readers[kind];
  if (!read) throw new Error(`Arrays of type ${kind} cannot be shown.`);
  const shape = shapeText
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(Number);
  const size = shape.reduce((product, one) => product * one, 1);
  const itemSize = Number(descr[3]);
  const data = start + length;
  if (data + size * itemSize > bytes.length) throw new Error('The file ends before the array does.');
  const strides = new Array<number>(shape.length).fill(1);
  if (fortran)
    for (let axis = 1; axis < shape.length; axis += 1)
      strides[axis] = (strides[axis - 1] ?? 1) * (shape[axis - 1] ?? 1);
  else
    for (let axis = shape.length - 2; axis >= 0; axis -= 1)
      strides[axis] = (strides[axis + 1] ?? 1) * (shape[axis + 1] ?? 1);
  const little = descr[1] !== '>';
  return { dtype: kind, shape, strides, size, at: (offset) => read(view, data + offset * itemSize, little) };
}

/** Where the pictures of an array start: the last two axes are a picture, those before count them. */
export function planeOffsets(array: IArray, most: number): number[] {
  const { shape, strides } = array;
  const counted = shape.slice(0, -2);
  const count = counted.reduce((product, one) => product * one, 1);
  return Array.from({ length: Math.min(count, most) }, (_, plane) => {
    let rest = plane;
    let offset = 0;
    for (let axis = counted.length - 1; axis >= 0; axis -= 1) {
      const length = counted[axis] ?? 1;
      offset += (rest % length) * (strides[axis] ?? 0);
      rest = Math.floor(rest / length);
    }
    return offset;
  });
}
