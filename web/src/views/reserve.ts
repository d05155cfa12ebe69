import { part, post, Problem } from "../api";
import { confirm } from "../parts/dialog";
import { PRIORITIES, type Reservation } from "../types";

const MINUTE = 60;

/** Most that one dialog makes: each is a request. */
const MOST = 100;

/** Ask for whom, of which accounts and for how long, and keep connections. */
export function askToReserve(path: string, again: () => void): void {
  confirm({
    title: "Keep connections for one owner",
    body: "Requests in the owner's name get them before all others, until they expire or you end them.",
    verb: "Reserve",
    fields: [
      { name: "owner", label: "Owner", required: true, most: 200, hint: "spring campaign" },
      { name: "accounts", label: "Accounts, with commas between them", most: 7000, hint: "any" },
      { name: "number", label: "How many, where any account will do", number: true, value: "1", whole: true },
      { name: "priority", label: "Priority of its requests, at least", options: PRIORITIES, value: "NORMAL" },
      { name: "minutes", label: "Minutes", number: true, value: "30", required: true },
    ],
    run: (given) => reserveAll(path, wishesOf(given)).finally(again),
    done: "reserved",
  });
}

interface Wish {
  reserved_for: string;
  account_id: string | null;
  priority: number;
  duration: number;
}

function wishesOf(given: Record<string, string>): Wish[] {
  const named = (given["accounts"] ?? "").split(/[\s,]+/).filter(Boolean);
  const accounts = named.length ? named : Array<null>(Number(given["number"] || 1)).fill(null);
  if (accounts.length === 0 || accounts.length > MOST) {
    throw new Error(`1 to ${MOST} connections can be kept at once here, not ${accounts.length}`);
  }
  const twice = named.find((each, index) => named.indexOf(each) !== index);
  if (twice) throw new Error(`${twice} is named twice`);
  const common = {
    reserved_for: given["owner"] ?? "",
    priority: PRIORITIES.indexOf(given["priority"] as (typeof PRIORITIES)[number]) + 1,
    duration: secondsOf(given["minutes"]),
  };
  return accounts.map((account_id) => ({ ...common, account_id }));
}

/** One after the other: a failure says what is kept by then, and what is not. */
async function reserveAll(path: string, wishes: Wish[]): Promise<void> {
  for (const [done, wish] of wishes.entries()) {
    try {
      await post(path, wish);
    } catch (error) {
      if (!(error instanceof Problem) || done === 0) throw error;
      throw new Error(
        `${done} of ${wishes.length} are kept; ${wish.account_id ?? "another"} is not: ${error.message}`,
      );
    }
  }
}

/** Ask for how long from now on. */
export function askToExtend(path: string, each: Reservation, again: () => void): void {
  confirm({
    title: `How long is ${each.account_id} to be kept for ${each.reserved_for}?`,
    body: "From now on, be that longer or shorter than it is now.",
    verb: "Keep it so long",
    fields: [{ name: "minutes", label: "Minutes from now", number: true, value: "30", required: true }],
    run: (given) =>
      post(`${path}/${part(each.id)}/extend`, { seconds: secondsOf(given["minutes"]) }).then(again),
    done: `${each.account_id} is kept for ${each.reserved_for}`,
  });
}

function secondsOf(minutes: string | undefined): number {
  const seconds = Number(minutes) * MINUTE;
  if (!(seconds > 0)) throw new Error("it must last longer than 0 minutes");
  return seconds;
}
