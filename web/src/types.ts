/** What the service answers; times are ISO 8601, durations seconds, shares 0 to 1. */

export type Scope = "read" | "execute" | "operate" | "admin";

export interface Who {
  token_id: string;
  name: string;
  scope: Scope;
  csrf: string | null;
}

export interface PoolStatus {
  pool_id: string;
  at: string;
  mode: string;
  total: number;
  available: number;
  active: number;
  reserved: number;
  healthy: number;
  queued: number;
  longest_wait: number;
  accounts: number;
  quarantined: number;
  queued_by_priority: Record<string, number>;
  active_by_priority: Record<string, number>;
  by_state: Record<string, number>;
  accounts_by_state: Record<string, number>;
}

export interface Metrics {
  timestamp: string;
  interval: number;
  total_connections: number;
  active_connections: number;
  max_connections: number;
  target_connections: number | null;
  queued_requests: number;
  longest_wait: number;
  calls: number;
  throughput: number;
  error_rate: number | null;
  p50_acquisition_time: number | null;
  p95_acquisition_time: number | null;
  p99_acquisition_time: number | null;
  p95_response_time: number | null;
}

export interface Decision {
  action: "scale_up" | "scale_down" | "hold";
  reason: string;
  target_size: number;
  wanted_size: number;
  confidence: number | null;
  predicted_load: number | null;
  constraints: string[];
}

export interface Page<T> {
  total: number;
  offset: number;
  items: T[];
}

export interface Connection {
  connection_id: string;
  account_id: string;
  state: string;
  active: boolean;
  reserved: boolean;
  healthy: boolean;
  created_at: string;
  last_used_at: string | null;
  idle_time: number;
  usage_count: number;
  total_usage_time: number;
  health: number;
  average_response_time: number | null;
  p50_response_time: number | null;
  p95_response_time: number | null;
  success_rate: number;
  error_count: number;
  priority: number | null;
  reserved_for: string | null;
  reservation_expires_at: string | null;
  session_generation: number;
  borrower: string | null;
  memory: number | null;
  cpu: number | null;
  network: number | null;
  reason: string;
  response_times: (number | null)[];
}

export interface ListedConnection extends Connection {
  budget: EndpointBudget | null;
}

export interface RecentCall {
  at: string;
  action: string;
  outcome: string;
  seconds: number;
}

export interface ConnectionDetail extends Connection {
  calls: RecentCall[];
  budgets: EndpointBudget[];
}

export interface Budget {
  endpoint: string;
  sentence: string;
  accounts: number;
  usable: number;
  left: number | null;
  limit: number | null;
  most: number | null;
  returns_in: number | null;
  returning: number;
  rate: number | null;
}

export interface Scaling {
  enabled: boolean;
  dry_run: boolean;
  size: number;
  least: number;
  most: number;
  capacity: number;
  ceilings: string[];
  decision: Decision | null;
  history: { at: string; decision: Decision }[];
}

export interface Reservation {
  id: string;
  account_id: string;
  reserved_for: string;
  priority: number;
  expires_at: string;
  connection_id: string | null;
}

export interface Review {
  id: number;
  at: string;
  account_id: string;
  pool_id: string;
  owner: string | null;
  action: string;
  parameters: Record<string, unknown>;
  reasons: {
    rule: string;
    severity: "note" | "review" | "block";
    message: string;
    suggestion: string;
    span: { start: number; end: number } | null;
  }[];
}

export interface Explained {
  sentence: string;
  accounts: number;
  in_all: number;
  doing: Record<string, number>;
  ahead: number | null;
  notice: string;
}

/** A message of the event hub. */
export interface Told {
  type: string;
  seq?: number;
  topic?: string;
  pool_id?: string | null;
  at?: string;
  [field: string]: unknown;
}

export const PRIORITIES = ["LOW", "NORMAL", "HIGH", "CRITICAL", "EMERGENCY"] as const;

export const STATES = ["opening", "idle", "leased", "reserved", "renewing", "checking", "paused"] as const;

export interface Membership {
  pool_id: string;
  usable: boolean;
  state: string;
  why: string;
  until: string | null;
  connections: string[];
}

export interface Account {
  id: string;
  handle: string | null;
  tags: string[];
  capabilities: string[];
  state: string;
  reason: string;
  evidence: string;
  by: string;
  since: string | null;
  until: string | null;
  usable: boolean;
  login_ends: string | null;
  pools: Membership[];
  connections: number;
  logins_today: number;
}

export interface EndpointBudget {
  endpoint: string;
  left: number | null;
  expected: number | null;
  most: number | null;
  limit: number | null;
  window: number | null;
  in_flight: number;
  opens_in: number | null;
  returns_in: number | null;
  why: string;
}

export interface AccountDetail extends Account {
  caps: Record<string, string>;
  notes: string;
  cookies: string[];
  has_proxy: boolean;
  budgets: EndpointBudget[];
}

export const ACCOUNT_STATES = ["active", "quarantined", "locked", "suspended", "stale", "disabled"] as const;

export interface Alert {
  id: string;
  rule: string;
  severity: "info" | "warning" | "critical";
  /** null: it is about the process. */
  pool_id: string | null;
  state: "firing" | "acknowledged" | "resolved";
  silenced: boolean;
  message: string;
  why: string;
  advice: string;
  count: number;
  names: string[];
  began_at: string;
  times: number;
  delivery: "none" | "waiting" | "sent" | "failed";
  acknowledged_by: string;
  note: string;
  resolved_at: string | null;
}

export interface AlertPage extends Page<Alert> {
  /** Those that nobody has acknowledged or silenced. */
  firing: number;
  destinations: { name: string; sent: number; waiting: number; failed: number; dropped: number; problem: string }[];
}

export interface Silence {
  id: string;
  rule: string | null;
  pool_id: string | null;
  account_id: string | null;
  until: string;
  reason: string;
  by: string;
}
