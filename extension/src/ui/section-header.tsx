import * as React from 'react';

export interface ISectionHeaderProps {
  title: string;
  /** As `64 shards`, beside the title. */
  detail?: string;
  /** Buttons at the right end. */
  children?: React.ReactNode;
}

/** The heading of a part of a main-area page. */
export function SectionHeader(props: ISectionHeaderProps): JSX.Element {
  return (
    <div className="jp-Labscale-SectionHeader">
      <h2>{props.title}</h2>
      {props.detail !== undefined && <span className="jp-Labscale-SectionHeader-detail">{props.detail}</span>}
      {props.children && <div className="jp-Labscale-SectionHeader-actions">{props.children}</div>}
    </div>
  );
}
