import { round } from './measure.mjs';

/** Between which an A/A control may lie for its pairs to count without more ado. */
const quiet = { atLeast: 0.93, atMost: 1.07 };

function holds(goal, value) {
  return (goal.atMost === undefined || value <= goal.atMost) && (goal.atLeast === undefined || value >= goal.atLeast);
}

function bound(goal) {
  const unit = goal.unit ? ` ${goal.unit}` : '';
  const parts = [];
  if (goal.atLeast !== undefined) parts.push(`at least ${goal.atLeast}${unit}`);
  if (goal.atMost !== undefined) parts.push(`at most ${goal.atMost}${unit}`);
  return parts.join(' and ');
}

/**
 * Holds figures against goals `{figure, says, atMost?, atLeast?, unit?}`. A noisy machine (a control outside
 * 0.93 to 1.07) leaves the verdict open only where the noise is large enough to turn it.
 */
export function verdict(figures, goals, control) {
  const shortfalls = [];
  let conclusive = true;
  const noise = control === null || control === undefined ? 1 : Math.max(control, 1 / control);
  const noisy = control !== null && control !== undefined && (control < quiet.atLeast || control > quiet.atMost);
  for (const goal of goals) {
    const value = figures[goal.figure];
    if (!holds(goal, value)) shortfalls.push(`${goal.says}: ${round(value, 3)}, wanted ${bound(goal)}`);
    if (noisy && !goal.exact && holds(goal, value * noise) !== holds(goal, value / noise)) conclusive = false;
  }
  return {
    goal: goals.map((goal) => `${goal.figure} ${bound(goal)}`).join('; '),
    pass: shortfalls.length === 0 && conclusive,
    conclusive,
    shortfalls
  };
}
