// The pages work without this; it only adds a print button, and shows on a small screen where in the menu one is.
document.documentElement.classList.add("js");
for (const button of document.querySelectorAll("[data-print]")) {
  button.addEventListener("click", () => window.print());
}
const here = document.querySelector(".nav [aria-current]");
const menu = here?.closest("nav");
if (menu) menu.scrollLeft = here.offsetLeft - (menu.clientWidth - here.offsetWidth) / 2;
