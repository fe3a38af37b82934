'use strict';
// Filters and sorts the table of findings, and zooms the flame graph. Without it all is there, but stands still.
document.documentElement.classList.add('scripted');

(() => {
  const table = document.getElementById('finding-table');
  if (!table) return;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (row) => ({ row, text: row.textContent.toLowerCase(), cause: row.dataset.cause }));
  const filter = document.getElementById('filter');
  const shown = document.getElementById('shown');
  const chips = Array.from(document.querySelectorAll('.chip'));
  const number = new Intl.NumberFormat('en');

  const apply = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const pressed = chips.filter((chip) => chip.getAttribute('aria-pressed') === 'true');
    const causes = new Set(pressed.map((chip) => chip.dataset.cause));
    let count = 0;
    for (const { row, text, cause } of rows) {
      const fits = (causes.size === 0 || causes.has(cause)) && words.every((word) => text.includes(word));
      row.hidden = !fits;
      if (fits) count += 1;
    }
    shown.textContent = `${number.format(count)} of ${number.format(rows.length)} shown`;
  };
  filter.addEventListener('input', apply);
  for (const chip of chips) {
    chip.addEventListener('click', () => {
      chip.setAttribute('aria-pressed', String(chip.getAttribute('aria-pressed') !== 'true'));
      apply();
    });
  }

  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
  };
  const compare = (a, b) => (typeof a === 'number' ? a - b : a.localeCompare(b, 'en', { numeric: true }));
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    const button = head.querySelector('button');
    button.disabled = false;
    button.addEventListener('click', () => {
      const falls = head.getAttribute('aria-sort') === 'ascending';
      heads.forEach((other) => other.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', falls ? 'descending' : 'ascending');
      const keyed = rows.map((one) => ({ one, key: value(one.row, column) }));
      keyed.sort((a, b) => (falls ? compare(b.key, a.key) : compare(a.key, b.key)));
      body.append(...keyed.map(({ one }) => one.row));
    });
  });
})();

(() => {
  const flame = document.getElementById('flame');
  if (!flame) return;
  const all = document.getElementById('unzoom');
  const told = document.getElementById('frame');
  const frames = Array.from(flame.querySelectorAll('.f'), (element) => ({
    element,
    x: parseFloat(element.getAttribute('x')),
    width: parseFloat(element.getAttribute('width')),
    depth: Number(element.getAttribute('y')),
  }));
  const near = 1e-3;
  const zoom = (to) => {
    for (const frame of frames) {
      const holds = frame.depth < to.depth && frame.x <= to.x + near && frame.x + frame.width >= to.x + to.width - near;
      const within = frame.x >= to.x - near && frame.x + frame.width <= to.x + to.width + near && frame.depth >= to.depth;
      frame.element.style.display = holds || within ? '' : 'none';
      frame.element.classList.toggle('above', holds);
      frame.element.setAttribute('x', holds ? '0' : `${((frame.x - to.x) / to.width) * 100}%`);
      frame.element.setAttribute('width', holds ? '100%' : `${(frame.width / to.width) * 100}%`);
    }
    all.disabled = to === frames[0];
    told.textContent = to === frames[0] ? '' : to.element.querySelector('title').textContent;
  };
  for (const frame of frames) frame.element.addEventListener('click', () => zoom(frame));
  all.addEventListener('click', () => zoom(frames[0]));
})();
