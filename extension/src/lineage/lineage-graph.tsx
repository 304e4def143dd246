import type { TranslationBundle } from '@jupyterlab/translation';
import type { LabIcon } from '@jupyterlab/ui-components';
import type { Lineage } from '@labscale/schema';
import * as React from 'react';
import { formatAge } from '../ui/format-age';
import { analysisIcon, datasetIcon, parametersIcon, runIcon, snippetIcon } from '../ui/icons';
import { layOutLineage, nodeHeight, nodeWidth, type IPlacedEdge, type IPlacedNode } from './lineage-layout';

export type LineageNode = Lineage['nodes'][number];

const icons: Record<LineageNode['noun'], LabIcon> = {
  'dataset-version': datasetIcon,
  snippet: snippetIcon,
  'analysis-version': analysisIcon,
  'parameter-set-version': parametersIcon,
  run: runIcon
};

export interface ILineageGraphProps {
  lineage: Lineage;
  trans: TranslationBundle;
  /** Undefined for what has no page of its own. */
  open: (node: LineageNode) => (() => void) | undefined;
}

/** The way from data to derivatives, drawn from left to right; each box opens what it stands for. */
export function LineageGraph(props: ILineageGraphProps): JSX.Element {
  const { lineage, trans, open } = props;
  const layout = React.useMemo(() => layOutLineage(lineage), [lineage]);
  const scroller = React.useRef<HTMLDivElement>(null);
  const focused = layout.nodes.find(({ node }) => node.id === lineage.focus);
  const middle = focused && focused.x + nodeWidth / 2;
  React.useLayoutEffect(() => {
    const element = scroller.current;
    // What one asked about is in sight, however much lies before it.
    if (element && middle !== undefined) element.scrollLeft = middle - element.clientWidth / 2;
  }, [middle]);
  return (
    <div ref={scroller} className="jp-Labscale-Lineage" role="group" aria-label={trans.__('Lineage')}>
      <div className="jp-Labscale-Lineage-canvas" style={{ width: layout.width, height: layout.height }}>
        <svg width={layout.width} height={layout.height} aria-hidden="true">
          {layout.edges.map((edge) => (
            <Edge key={`${edge.edge.from} ${edge.edge.to} ${edge.edge.relation}`} placed={edge} trans={trans} />
          ))}
        </svg>
        {layout.nodes.map((placed) => (
          <Node
            key={placed.node.id}
            placed={placed}
            focus={placed.node.id === lineage.focus}
            trans={trans}
            onOpen={open(placed.node)}
          />
        ))}
      </div>
    </div>
  );
}

function relationText(relation: IPlacedEdge['edge']['relation'], trans: TranslationBundle): string {
  const texts: Record<typeof relation, string> = {
    'cut-from': trans.__('cut from'),
    'tuned-on': trans.__('tuned on'),
    'values-for': trans.__('values for'),
    input: trans.__('input'),
    analysis: trans.__('analysis'),
    parameters: trans.__('parameters'),
    made: trans.__('made'),
    'forked-from': trans.__('forked from'),
    'previous-version': trans.__('version before')
  };
  return texts[relation];
}

function nounText(noun: LineageNode['noun'], trans: TranslationBundle): string {
  const texts: Record<typeof noun, string> = {
    'dataset-version': trans.__('dataset'),
    snippet: trans.__('snippet'),
    'analysis-version': trans.__('analysis'),
    'parameter-set-version': trans.__('parameter set'),
    run: trans.__('run')
  };
  return texts[noun];
}

function Edge(props: { placed: IPlacedEdge; trans: TranslationBundle }): JSX.Element {
  const { points, edge } = props.placed;
  const end = points.at(-1);
  const path = points.map((point, index) => {
    const before = points[index - 1];
    if (!before) return `M${point.x},${point.y}`;
    const middle = (before.x + point.x) / 2;
    return `C${middle},${before.y} ${middle},${point.y} ${point.x},${point.y}`;
  });
  return (
    <g>
      <path className="jp-Labscale-Lineage-edge" d={path.join(' ')}>
        <title>{relationText(edge.relation, props.trans)}</title>
      </path>
      {end && <circle className="jp-Labscale-Lineage-end" cx={end.x} cy={end.y} r={3} />}
    </g>
  );
}

interface INodeProps {
  placed: IPlacedNode;
  focus: boolean;
  trans: TranslationBundle;
  onOpen: (() => void) | undefined;
}

function Node(props: INodeProps): JSX.Element {
  const { placed, focus, trans, onOpen } = props;
  const { node } = placed;
  const icon = icons[node.noun];
  const noun = nounText(node.noun, trans);
  const number = node.number === null ? '' : ` ${trans.__('v%1', node.number)}`;
  return (
    <button
      type="button"
      className={`jp-Labscale-Lineage-node${focus ? ' jp-mod-focus' : ''}`}
      style={{ left: placed.x, top: placed.y, width: nodeWidth, height: nodeHeight }}
      onClick={onOpen}
      disabled={!onOpen}
      aria-current={focus ? 'true' : undefined}
      title={`${node.name}${number}\n${noun}, ${formatAge(node.createdAt)}${
        node.superseded ? `\n${trans.__('There is a newer version')}` : ''
      }`}
    >
      <icon.react tag="span" />
      <span className="jp-Labscale-Lineage-text">
        <span className="jp-Labscale-grow">
          {node.name}
          {number}
        </span>
        <span className="jp-Labscale-dim">
          {noun}
          {node.superseded ? ` · ${trans.__('newer exists')}` : ''}
        </span>
      </span>
    </button>
  );
}
