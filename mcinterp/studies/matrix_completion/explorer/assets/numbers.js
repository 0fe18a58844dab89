"use strict";
// Numbers as mcinterp.report.numbers writes them: significant digits, true minus signs, a dash where there is none.
const Numbers = (() => {
  const signed = (text) => text.replace(/-/g, "−");

  // With so many decimals, and no sign where they are all 0.
  function fixed(value, decimals) {
    if (!Number.isFinite(value)) return "–";
    const [digits, fraction] = value.toFixed(decimals).split(".");
    const grouped = digits.length > 3 ? digits.replace(/\B(?=(\d{3})+$)/g, ",") : digits;
    const text = fraction ? `${grouped}.${fraction}` : grouped;
    return /[1-9]/.test(text) ? signed(text) : text.replace("-", "");
  }

  // With so many significant digits.
  function number(value, digits = 3) {
    if (!Number.isFinite(value)) return "–";
    if (value === 0) return "0";
    const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
    if (exponent < -4 || exponent >= 6) return signed(`${mantissa}e${Number(exponent)}`);
    return fixed(value, Math.max(0, digits - 1 - exponent));
  }

  const whole = (value) => fixed(value, 0);

  // What was typed, or null; a comma is a decimal point, and both kinds of minus are one.
  function parse(text) {
    const plain = text.trim().replace("−", "-").replace(",", ".");
    return /^[-+]?(\d+\.?\d*|\.\d+)$/.test(plain) ? Number(plain) : null;
  }

  return { fixed, number, whole, parse };
})();
