/* Keep the fragment over the login: it says what the viewer wants to see. */
document.getElementById("login").action += location.hash;
