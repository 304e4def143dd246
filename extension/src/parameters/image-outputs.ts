import type { INotebookCell } from './notebook-parameters';

export interface IImageOutput {
  cellIndex: number;
  mediaType: 'image/png' | 'image/jpeg';
  base64: string;
}

const mediaTypes = ['image/png', 'image/jpeg'] as const;

/** The pictures among the outputs of a notebook, in order. */
export function findImageOutputs(cells: readonly INotebookCell[]): IImageOutput[] {
  return cells.flatMap((cell, cellIndex) => {
    const outputs = cell.cell_type === 'code' && Array.isArray(cell['outputs']) ? cell['outputs'] : [];
    return outputs.flatMap((output: unknown) => {
      const data = (output as { data?: Record<string, unknown> } | null)?.data ?? {};
      for (const mediaType of mediaTypes) {
        const value = data[mediaType];
        const text = Array.isArray(value) ? value.join('') : value;
        // Kernels break base64 into lines as they please.
        if (typeof text === 'string') return [{ cellIndex, mediaType, base64: text.replace(/\s/g, '') }];
      }
      return [];
    });
  });
}

/** What the server takes for a thumbnail, in base64 characters. */
const largest = 1_400_000;
const largestSide = 1_024;

/** As it is where it is small enough, else drawn smaller; null where the browser cannot read the picture. */
export async function toThumbnail(
  image: IImageOutput
): Promise<{ mediaType: IImageOutput['mediaType']; base64: string } | null> {
  if (image.base64.length <= largest) return { mediaType: image.mediaType, base64: image.base64 };
  const element = new Image();
  element.src = `data:${image.mediaType};base64,${image.base64}`;
  try {
    await element.decode();
  } catch {
    return null;
  }
  const scale = Math.min(1, largestSide / Math.max(element.naturalWidth, element.naturalHeight));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(element.naturalWidth * scale));
  canvas.height = Math.max(1, Math.round(element.naturalHeight * scale));
  canvas.getContext('2d')?.drawImage(element, 0, 0, canvas.width, canvas.height);
  const base64 = canvas.toDataURL('image/jpeg', 0.85).split(',')[1] ?? '';
  return base64.length > 0 && base64.length <= largest ? { mediaType: 'image/jpeg', base64 } : null;
}
