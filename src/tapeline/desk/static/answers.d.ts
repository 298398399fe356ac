// What the server answers. Made of tapeline.desk.models by `python -m tests.desk.answer_types`; do not edit.

export interface Me {
  user: string;
  may_trigger: boolean;
}

export interface LastAlert {
  kind: string;
  timestamp: string;
}

export interface Quote {
  symbol: string;
  timestamp: string;
  ingested_at: string;
  source: string;
  open: number;
  high: number;
  low: number;
  price: number;
  previous_close: number;
  volume: number;
  change: number | null;
  change_percent: number | null;
  moving_average: number | null;
  moving_average_5: number | null;
  trend: string | null;
  reasons: string[];
  suspect: string[];
  revision: number;
  last_alert: LastAlert | null;
  anomaly: boolean;
  spark?: [number, number][] | null;
}

export interface KindWords {
  mark: string;
  label: string;
  tone: "up" | "down" | "warning" | "plain";
}

export interface Words {
  kinds: Record<string, KindWords>;
  figures: Record<string, string>;
  reasons: Record<string, string>;
}

export interface Quotes {
  version: number;
  at: string;
  simulated: boolean;
  words?: Words | null;
  symbols: Quote[];
}

export interface PipelineLight {
  name: string;
  label: string;
  state: "ok" | "idle" | "unknown" | "warn" | "bad";
  value: string;
  detail: string;
  todo?: string | null;
  dag_id?: string | null;
}

export interface Health {
  at: string;
  lights: PipelineLight[];
  quotes_per_second?: number | null;
  latency_seconds?: number | null;
  market_open?: boolean | null;
  rejected_last_day?: Record<string, number>;
  dags: string[];
  triggers: string[];
}

export interface Mark {
  time: number;
  kind: string;
  label: string;
  tone: "up" | "down" | "warning" | "plain";
  text: string;
}

export interface Figures {
  open_usd: number | null;
  high_usd: number | null;
  low_usd: number | null;
  close_usd: number | null;
  previous_close_usd: number | null;
  change_usd: number | null;
  change_pct: number | null;
  vwap_usd: number | null;
  volume_shares: number | null;
  quotes: number | null;
  completeness_pct: number | null;
}

export interface Minutes {
  from: "dynamodb" | "minute_bars";
  complete: boolean;
  averages_over: "quotes" | "minutes";
  previous_close: number | null;
  figures: Figures | null;
  candles: [number, number, number, number, number, number, number][];
  moving_average: [number, number][];
  moving_average_5: [number, number][];
  marks: Mark[];
}

export interface SessionDetail extends Minutes {
  symbol: string;
  session: string;
  today: string | null;
  left_out: Record<string, string>;
  opens_at: string | null;
  closes_at: string | null;
}

export interface Sessions {
  today: string | null;
  sessions: string[];
}

export interface Reject {
  reason: string;
  detail: string;
  payload: string;
  truncated: boolean;
  binary: boolean;
  arrived_at: string;
  sequence_number: string;
  shard_id: string;
  symbol: string;
}

export interface Rejects {
  reasons: Record<string, number>;
  more: boolean;
  rejects: Reject[];
}

export interface Report {
  name: string;
  kind: string;
  session: string;
  title: string;
  href: string;
}

export interface Reports {
  reports: Report[];
}

export interface Started {
  dag_id: string;
  run_id: string;
  dry_run: boolean;
  href: string;
}
