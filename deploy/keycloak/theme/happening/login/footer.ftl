<#-- Keycloak leaves this template to themes. It says what a page is for; the
     style sheet shows it under the title. -->
<#macro content>
  <#assign leads = {
    "login": "leadSignIn",
    "register": "leadSignUp",
    "login-reset-password": "leadForgotten"
  }>
  <#if pageId?? && leads[pageId]??><p class="lead">${msg(leads[pageId])}</p></#if>
</#macro>
