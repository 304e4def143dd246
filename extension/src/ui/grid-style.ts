import { DataGrid, TextRenderer } from '@lumino/datagrid';

/** The colours and fonts of a DataGrid as the theme has them now: a canvas takes no CSS variables. */
export interface IGridLook {
  style: DataGrid.Style;
  header: TextRenderer;
  body: TextRenderer;
}

export function gridLook(): IGridLook {
  const computed = getComputedStyle(document.body);
  const variable = (name: string) => computed.getPropertyValue(name).trim();
  const font = `${variable('--jp-ui-font-size1') || '13px'} ${variable('--jp-ui-font-family') || 'sans-serif'}`;
  const selection = withAlpha(variable('--jp-brand-color1'), 0.2);
  return {
    style: {
      ...DataGrid.defaultStyle,
      voidColor: variable('--jp-layout-color1'),
      backgroundColor: variable('--jp-layout-color1'),
      headerBackgroundColor: variable('--jp-layout-color1'),
      gridLineColor: variable('--jp-border-color3'),
      verticalGridLineColor: 'transparent',
      headerGridLineColor: variable('--jp-border-color3'),
      headerVerticalGridLineColor: 'transparent',
      rowBackgroundColor: () => variable('--jp-layout-color1'),
      selectionFillColor: selection,
      selectionBorderColor: 'transparent',
      headerSelectionFillColor: selection,
      headerSelectionBorderColor: 'transparent',
      cursorFillColor: 'transparent',
      cursorBorderColor: 'transparent',
      scrollShadow: {
        size: 4,
        color1: withAlpha('#000000', 0.08),
        color2: withAlpha('#000000', 0.04),
        color3: withAlpha('#000000', 0)
      }
    },
    header: new TextRenderer({ font: `600 ${font}`, textColor: variable('--jp-ui-font-color1') }),
    body: new TextRenderer({ font, textColor: variable('--jp-ui-font-color1') })
  };
}

/** A hex or rgb() colour with an alpha; a canvas knows no colour-mix(). */
function withAlpha(color: string, alpha: number): string {
  const context = document.createElement('canvas').getContext('2d');
  if (!context) return color;
  context.fillStyle = color;
  const hex = context.fillStyle;
  const part = (at: number) => Number.parseInt(hex.slice(at, at + 2), 16);
  return hex.startsWith('#') ? `rgba(${part(1)}, ${part(3)}, ${part(5)}, ${alpha})` : color;
}
