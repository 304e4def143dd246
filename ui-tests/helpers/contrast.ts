import type { LabPage } from './lab-test';

/** WCAG AA asks for this much between text and what is behind it; for large text for less. */
const needed = 4.5;
const neededLarge = 3;

/** Texts of Labscale in sight that stand out too little from their background, each with its ratio. */
export async function faintTexts(page: LabPage): Promise<string[]> {
  return page.evaluate(
    ([small, large]) => {
      type Color = [number, number, number, number];
      const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
      const parse = (text: string): Color => {
        if (!canvas) return [0, 0, 0, 0];
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = text;
        canvas.fillRect(0, 0, 1, 1);
        const [red = 0, green = 0, blue = 0, alpha = 0] = canvas.getImageData(0, 0, 1, 1).data;
        return [red, green, blue, alpha / 255];
      };
      const over = (top: Color, bottom: Color): Color => {
        const mix = (at: 0 | 1 | 2) => top[at] * top[3] + bottom[at] * (1 - top[3]);
        return [mix(0), mix(1), mix(2), 1];
      };
      const luminance = (color: Color) => {
        const part = (value: number) =>
          value / 255 <= 0.04045 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4;
        return 0.2126 * part(color[0]) + 0.7152 * part(color[1]) + 0.0722 * part(color[2]);
      };
      const backgroundOf = (element: Element): Color => {
        const layers: Color[] = [];
        for (let at: Element | null = element; at; at = at.parentElement) {
          const color = parse(getComputedStyle(at).backgroundColor);
          if (color[3] > 0) layers.push(color);
          if (color[3] === 1) break;
        }
        return layers.reduceRight<Color>((below, layer) => over(layer, below), [255, 255, 255, 1]);
      };
      /** What is switched off may be faint, and what is being replaced. */
      const excused = (element: Element) => {
        for (let at: Element | null = element; at; at = at.parentElement) {
          if (at.matches(':disabled, [aria-disabled="true"], .jp-mod-stale')) return true;
        }
        return false;
      };
      const found = new Set<string>();
      const judge = (element: Element, text: string, color: string) => {
        const box = element.getBoundingClientRect();
        if (box.width === 0 || box.height === 0 || excused(element)) return;
        const style = getComputedStyle(element);
        const behind = backgroundOf(element);
        const shown = luminance(over(parse(color), behind));
        const ground = luminance(behind);
        const ratio = (Math.max(shown, ground) + 0.05) / (Math.min(shown, ground) + 0.05);
        const size = parseFloat(style.fontSize);
        const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
        if (ratio < (isLarge ? large : small))
          found.add(`${ratio.toFixed(2)} ${element.className}: ${text.slice(0, 60)}`);
        if (size < 10) found.add(`${size.toFixed(1)} px ${element.className}: ${text.slice(0, 60)}`);
      };
      for (const root of Array.from(document.querySelectorAll('[class*="jp-Labscale"]'))) {
        if (root.parentElement?.closest('[class*="jp-Labscale"]')) continue;
        const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
        for (let node = walker.nextNode(); node; node = walker.nextNode()) {
          const text = node.textContent?.trim() ?? '';
          const element = node.parentElement;
          if (text === '' || !element || !element.checkVisibility({ visibilityProperty: true, opacityProperty: true }))
            continue;
          // What others draw is theirs: documents in a preview, charts.
          if (element.closest('svg, .jp-Labscale-Preview-document, option')) continue;
          judge(element, text, getComputedStyle(element).color);
        }
        for (const input of Array.from(root.querySelectorAll('input, textarea'))) {
          const placeholder = input.getAttribute('placeholder');
          if (placeholder && (input as HTMLInputElement).value === '') {
            judge(input, placeholder, getComputedStyle(input, '::placeholder').color);
          }
        }
      }
      return [...found];
    },
    [needed, neededLarge] as const
  );
}
